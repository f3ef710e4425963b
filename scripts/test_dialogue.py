"""Ask characters questions and let them act, from the command line; the samples as Markdown.

    python scripts/test_dialogue.py --world worlds/chuiyan --characters 闻筝 --questions 你是谁？
    python scripts/test_dialogue.py --world worlds/chuiyan --scene scene.txt --output samples.md

A file given as ``@questions.txt`` holds one argument a line.
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "samples")

if __name__ == "__main__":
    raise SystemExit(main())
