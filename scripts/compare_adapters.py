"""The same questions to two adapters, or with one and without.

python scripts/compare_adapters.py --world worlds/mine --first checkpoints/mine --second none
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "compare")

if __name__ == "__main__":
    raise SystemExit(main())
