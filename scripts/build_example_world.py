"""Build the example world's novel and gold script from its marked source.

python scripts/build_example_world.py [--world worlds/chuiyan]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "example")

if __name__ == "__main__":
    raise SystemExit(main())
