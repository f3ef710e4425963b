"""Read a character card (V1, V2, V3; JSON, PNG, CHARX) or a lorebook into a world.

python scripts/import_card.py CARD.png                           # worlds/NAME
python scripts/import_card.py CARD.charx --world worlds/mine     # one more in a world
python scripts/import_card.py LOREBOOK.json --world worlds/mine
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "import_card")

if __name__ == "__main__":
    raise SystemExit(main())
