"""Write a character of a world as a card, or the world's lore as World Info.

python scripts/export_card.py --world worlds/chuiyan --character 闻筝 --output 闻筝.png
python scripts/export_card.py --world worlds/chuiyan --output lore.json --lorebook
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "export_card")

if __name__ == "__main__":
    raise SystemExit(main())
