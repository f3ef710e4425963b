"""What all scripts share: an error that the user can mend ends in one readable line.

def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    return _common.run(lambda: _build(args), debug=args.debug)
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from kb.errors import KnowledgeBaseError
from roleplay.errors import RoleplayError
from roleplay.models import embedded

FAILED, STOPPED = 2, 130


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add ``--debug``, which shows the traceback of an error."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_model(parser: argparse.ArgumentParser, use: str = "name, folder or hub id") -> None:
    """Add ``--model``; the environment's MODEL is its default, as for the app."""
    parser.add_argument(
        "--model", default=os.environ.get("MODEL") or embedded.NAME, help=f"{use} (default: $MODEL, or {embedded.NAME})"
    )


def run(work: Callable[[], int | None], *, debug: bool) -> int:
    """Do ``work``: its exit code, 2 after an error that the user can mend, 130 after Ctrl-C.

    ``debug`` lets such an error through with its traceback. An error of the program itself always shows one.
    """
    try:
        return work() or 0
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to go on", file=sys.stderr)
        return STOPPED
    except (RoleplayError, KnowledgeBaseError, OSError) as error:
        if debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILED
