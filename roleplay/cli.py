"""Stages in a terminal: flags from the settings, events drawn, errors in the reader's language.

    main("distill", ["--world", "worlds/mine"])     # what scripts/distill_dialogues.py does
    roleplay distill --world worlds/mine            # the console command

The terminal's language follows ROLEPLAY_LANGUAGE, the locale or ``--language``. ``--job FOLDER`` is
how :mod:`roleplay.stages.jobs` starts a script: events and the exit status are written there as
well.
"""

import argparse
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer
from tqdm import tqdm

from roleplay import files, messages, proxies
from roleplay.errors import RoleplayError, reason
from roleplay.options import add_options, read_options
from roleplay.stages import SCRIPTS, Stage, find
from roleplay.stages.jobs import EVENTS, STATUS, STOP, STOPPED
from roleplay.stages.progress import Event

FAILED = 2


def main(stage: str, argv: Sequence[str] | None = None, **more: Any) -> int:
    """Run a stage as a command; its exit status as in :func:`run`. ``more`` goes to the stage."""
    given = begin(argv)
    found = find(stage)
    args = parser_of(found).parse_args(given)
    screen = Screen(args.job)

    def work() -> None:
        if args.job and (args.job / STOP).exists():
            raise KeyboardInterrupt
        found.run(read_options(found.settings, args), screen.show, **more)

    with screen:
        return ended(args.job, run(work, debug=args.debug))


def serve(argv: Sequence[str] | None = None) -> int:
    """The API as a command, as :func:`main`."""
    from roleplay.serving.server import Settings, serve  # not at the top: others need no server

    given = begin(argv)
    parser = argparse.ArgumentParser(prog="serve.py", description=messages.text("cli.serve"))
    add_options(parser, Settings)
    add_common(parser)
    args = parser.parse_args(given)
    return run(lambda: serve(read_options(Settings, args)), debug=args.debug)


def begin(argv: Sequence[str] | None) -> list[str]:
    """The flags in today's spelling; from here on the terminal speaks the language of its user."""
    given = [normal(part) for part in (sys.argv[1:] if argv is None else argv)]
    messages.speak(messages.system_language())
    # Before the flags are read: the language decides on their help.
    if wanted := re.search(r"--language[= ](\w+)", " ".join(given)):
        messages.speak(messages.language_of(wanted[1]))
    # A console or a file of another encoding shows a mark in place of what it cannot show.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    return given


def normal(part: str) -> str:
    """A flag in today's spelling: ``--like_this`` of earlier versions is ``--like-this``."""
    match = re.match(r"--\w[\w-]*", part)
    return match[0].replace("_", "-") + part[match.end() :] if match else part


def parser_of(stage: Stage) -> argparse.ArgumentParser:
    """The parser of a stage's flags."""
    name, about = f"{stage.script}.py", stage.title
    parser = argparse.ArgumentParser(prog=name, description=about, fromfile_prefix_chars="@")
    add_options(parser, stage.settings)
    add_common(parser)
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every command."""
    text = messages.text
    parser.add_argument("--debug", action="store_true", help=text("cli.debug"))
    parser.add_argument("--language", choices=messages.LANGUAGES, help=text("cli.language"))


def run(work: Callable[[], object], *, debug: bool) -> int:
    """Do ``work``: 0, 2 after an error that the user can mend, 130 after Ctrl-C.

    ``debug`` lets such an error through with its traceback; other errors always show one.
    """
    if left_out := proxies.mend():
        print(messages.text("cli.proxy", names=" ".join(left_out)), file=sys.stderr)
    try:
        work()
    except KeyboardInterrupt:
        print(f"\n{messages.text('cli.stopped')}", file=sys.stderr)
        return STOPPED
    except (RoleplayError, OSError) as error:
        if debug:
            raise
        where = f" {error.filename}" if isinstance(error, OSError) and error.filename else ""
        told = error.text() if isinstance(error, RoleplayError) else f"{reason(error)}{where}"
        print(messages.text("cli.error", text=told), file=sys.stderr)
        return FAILED
    return 0


def ended(job: Path | None, code: int) -> int:
    """The exit status, which a job keeps in its folder."""
    if job:
        files.write_json(job / STATUS, {"code": code, "ended": time.strftime("%Y-%m-%d %H:%M:%S")})
    return code


class Screen:
    """Draws events: lines are printed, steps become bars; a job's folder keeps them as well."""

    def __init__(self, job: Path | None = None) -> None:
        self._bar: tqdm[Any] | None = None
        self._step = ""
        self._events = (job / EVENTS).open("a", encoding="utf-8") if job else None
        if job:
            # What a shell starts in the background ignores Ctrl-C, which jobs.stop() sends.
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()
        if self._events:
            self._events.close()

    def show(self, event: Event) -> None:
        """Draw one event."""
        if self._events:
            self._events.write(json.dumps(event.to_json(), ensure_ascii=False) + "\n")
            self._events.flush()
        if event.total is None:
            self._close()
            print(event.message.text(), flush=True)
        else:
            self._advance(event)

    def _advance(self, event: Event) -> None:
        if self._bar is None or self._step != event.message.key:
            self._close()
            self._bar, self._step = tqdm(total=event.total, disable=None), event.message.key
        self._bar.set_description_str(event.message.text(), refresh=False)
        self._bar.total = event.total
        self._bar.update((event.done or 0) - self._bar.n)
        if event.done == event.total:
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar, self._step = None, ""


def roleplay() -> None:
    """The console command ``roleplay``: the stages as subcommands."""
    messages.speak(messages.system_language())
    app = typer.Typer(add_completion=False, no_args_is_help=True, help=messages.text("cli.about"))
    raw = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    commands = {name: (script, partial(main, name)) for name, script in SCRIPTS.items()}
    for name, (script, start) in (commands | {"serve": ("serve", serve)}).items():
        about = messages.text("cli.script", script=script)
        app.command(name, help=about, context_settings=raw)(_command(start))
    app()


def _command(start: Callable[[Sequence[str]], int]) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        raise typer.Exit(start(context.args))

    return command
