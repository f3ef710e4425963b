"""Read the seed's published distillation into a world: script, interviews and a first cast.

python scripts/import_old_data.py --world worlds/mine --content all_content.json
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "legacy")

if __name__ == "__main__":
    raise SystemExit(main())
