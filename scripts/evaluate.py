"""Put a character's model to the test: loss on held-out chapters, role choice, identity, facts,
what was forgotten.

python scripts/evaluate.py --world worlds/chuiyan --checkpoint checkpoints/chuiyan-gemma3-270m-lora
python scripts/evaluate.py --world worlds/chuiyan --checkpoint none --output base.json     # the
base model
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "evaluation")

if __name__ == "__main__":
    raise SystemExit(main())
