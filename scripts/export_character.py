"""Take a character along: merged weights, LoRA, GGUF and Modelfiles for other programs.

python scripts/export_character.py --world worlds/chuiyan [--forms gguf] [--gguf-type q8_0]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "character_export")

if __name__ == "__main__":
    raise SystemExit(main())
