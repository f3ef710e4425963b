"""Lines whose speaker is unknown or doubtful; a person's answer is kept forever.

python scripts/review_speakers.py --world worlds/mine                     # list them
python scripts/review_speakers.py --world worlds/mine --answer 17 铜婆     # line 17 is hers
python scripts/review_speakers.py --world worlds/mine --interactive       # empty: next, q: stop
"""

import sys
from collections.abc import Sequence

from roleplay import cli
from roleplay.messages import text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; names come from standard input."""
    return cli.main("review", argv, ask=_ask)


def _ask() -> str | None:
    """The name for the line that was just shown; None at the end of the input or after q."""
    print(text("review.name"), end="", flush=True)
    answer = sys.stdin.readline()
    return None if not answer or answer.strip() == "q" else answer


if __name__ == "__main__":
    raise SystemExit(main())
