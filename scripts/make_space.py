"""Write a folder that is pushed to Hugging Face as a Space.

python -m scripts.make_space FOLDER [--world worlds/mine] [--model HUB_ID] [--checkpoint FOLDER]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "space")

if __name__ == "__main__":
    raise SystemExit(main())
