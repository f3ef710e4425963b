"""Write a world's prompt/response rows for another trainer.

python scripts/export_dataset.py --world worlds/chuiyan --format sharegpt --output DIR
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "export")

if __name__ == "__main__":
    raise SystemExit(main())
