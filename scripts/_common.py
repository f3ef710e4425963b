"""What all scripts share: they find the packages from any folder, and end in one readable line.

    if __package__:
        from scripts import _common
    else:  # run as a file: only scripts/ is on the path until _common adds the repository
        import _common

    def main(argv: Sequence[str] | None = None) -> int:
        args = _parser().parse_args(argv)
        return _common.run(lambda: _build(args), expected=(KnowledgeBaseError,), debug=args.debug)

Importing it puts the repository root first on sys.path. It knows no stage and prints no result.
"""

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from kb.errors import KnowledgeBaseError  # noqa: E402
from roleplay.errors import RoleplayError  # noqa: E402

FAILED, STOPPED = 2, 130
EXPECTED = (RoleplayError, KnowledgeBaseError)


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Adds --debug, which shows the traceback of an error."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run(
    main_body: Callable[[], int | None], *, expected: tuple[type[Exception], ...] = (), debug: bool = False
) -> int:
    """Runs a script's body: its exit code, 2 after an error, 130 after Ctrl-C.

    `expected` errors and OSError print their message, others their type too; --debug adds the traceback.
    """
    try:
        return main_body() or 0
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to go on", file=sys.stderr)
        return STOPPED
    except Exception as error:  # the last frame before the shell: any error must end in one readable line
        known = isinstance(error, (*expected, OSError))
        if debug:
            traceback.print_exc()
        text = " ".join(str(error).split())
        hint = "" if known or debug else " (run again with --debug for the traceback)"
        print(f"error: {text if known else f'{type(error).__name__}: {text}'}{hint}", file=sys.stderr)
        return FAILED
