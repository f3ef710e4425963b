"""Read the seed's published distillation into a world: the script, the interviews, a first cast,
what was cleaned.

python scripts/import_old_data.py --world worlds/mine --content all_content.json [--interview
all_interview.json]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "legacy")

if __name__ == "__main__":
    raise SystemExit(main())
