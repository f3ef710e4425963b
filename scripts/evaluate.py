"""Put a character's model to the test: loss, role choice, identity, facts, what was forgotten.

python scripts/evaluate.py --world worlds/chuiyan --checkpoint checkpoints/mine
python scripts/evaluate.py --world worlds/chuiyan --checkpoint none --output base.json
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "evaluation")

if __name__ == "__main__":
    raise SystemExit(main())
