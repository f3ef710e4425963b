"""Read the seed's published distillation into a world: script, chapters, interviews, a first cast.

python scripts/import_old_data.py --world worlds/mine --content all_content.json
    --interview all_interview.json --expression-map expression_map.json
python scripts/import_old_data.py --world worlds/mine --log merged_log.txt
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "legacy")

if __name__ == "__main__":
    raise SystemExit(main())
