"""From a novel to a trained character in one command, by rules and with a short or long training.

    python scripts/make_character.py --world worlds/mine --novel ~/books/book.txt --length short
    python scripts/make_character.py --world worlds/mine --steps training --characters 闻筝

Stop it with Ctrl-C and start it again with the same arguments: it goes on where it stopped.
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "making")

if __name__ == "__main__":
    raise SystemExit(main())
