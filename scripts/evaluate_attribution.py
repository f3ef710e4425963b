"""Score who-speaks on labelled windows; the last line of the output is one JSON object.

    python scripts/evaluate_attribution.py tests/data/attribution_own.jsonl --baseline nearest
    python scripts/evaluate_attribution.py DATA.jsonl --abstain
    python scripts/evaluate_attribution.py DATA.jsonl --backend openai --model gpt-4o-mini [--batch-out F | --batch-in F]
    python scripts/evaluate_attribution.py --make-from worlds/chuiyan OUT.jsonl [--split]

    nearest  {"n": 66, "accuracy": 0.6364, "by_category": {...}}
    {"n": 66, "accuracy": 0.9848, "by_category": {"explicit": 1.0, "implicit": 1.0, "latent": 0.9655}}

A row is a quote (``sentences[target_index]``) between its neighbours, with the candidates and the true speaker::

    {"sentences": [21 strings], "target_index": 10, "candidates": [{"name": "闻筝", "aliases": ["小筝"], "gender": "f"}],
     "speaker": "闻筝", "category": "explicit|implicit|latent"}

``--make-from`` writes such rows from a world with a gold script. Each row is judged alone: nothing is learned
from the others.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from roleplay import files
from roleplay.distill.people import People
from roleplay.distill.windows import Window, people_of, tell_window
from roleplay.errors import ScriptError
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.reading import read_novel
from roleplay.records import Line
from roleplay.world import World
from scripts import _attribution_model, _common

SURE = 0.93
"""With --abstain, a row is answered when the first candidate's chance is at least so high."""

_SIDE = 10
_EXPLICIT = ("before", "after", "inside")
_IMPLICIT = ("action", "pronoun", "thought")
_QUOTED = re.compile(r"[“「『\"‘].*?[”」』\"’]")
_PIECE = re.compile(r"[^。！？…“”]*“[^”]*”|[^。！？…“”]+[。！？…]*|[。！？…]+")

Category = Literal["explicit", "implicit", "latent"]
Judge = Callable[[Window], dict[str, float]]


class Candidate(BaseModel):
    """One who may be the speaker."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    gender: Literal["f", "m", "null"] | None = None


class Row(BaseModel):
    """A labelled window."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sentences: tuple[str, ...] = Field(min_length=1)
    target_index: int = Field(ge=0)
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    speaker: str
    category: Category

    @model_validator(mode="after")
    def _check(self) -> Row:
        if self.target_index >= len(self.sentences):
            raise ValueError(f"target_index {self.target_index} is outside the {len(self.sentences)} sentences")
        names = [candidate.name for candidate in self.candidates]
        if self.speaker not in names:
            raise ValueError(f"speaker {self.speaker!r} is none of the candidates {' '.join(names)}")
        return self

    def window(self) -> Window:
        """The row without its answer."""
        cast = {candidate.name: candidate.aliases for candidate in self.candidates}
        genders = {candidate.name: candidate.gender for candidate in self.candidates}
        return Window(self.sentences, self.target_index, people_of(cast, genders))


def main(argv: Sequence[str] | None = None) -> int:
    """Score or make a data file; 0 on success, 2 after an error."""
    args = _parser().parse_args(argv)
    return _common.run(lambda: _make(args) if args.make_from else _evaluate(args), debug=args.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="JSON Lines of labelled windows (to be written with --make-from)")
    _attribution_model.add_arguments(parser)
    parser.add_argument("--abstain", action="store_true", help="let doubtful rows go unanswered")
    parser.add_argument("--sure", type=float, default=SURE, help="chance from which to answer (default: %(default)s)")
    parser.add_argument("--baseline", choices=["nearest"], help="score this baseline as well")
    parser.add_argument("--wrong", action="store_true", help="show the rows that are wrong")
    parser.add_argument("--make-from", type=Path, metavar="WORLD", help="write DATA from a world's gold script")
    parser.add_argument("--split", action="store_true", help="with --make-from: windows of sentences, not paragraphs")
    _common.add_debug(parser)
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    _attribution_model.check(args)
    rows = read_rows(args.data)
    if args.baseline:
        print(f"{args.baseline}  {json.dumps(score(rows, nearest))}")
    judge: Judge | None = tell_window
    if args.backend != "rules":
        judge = _attribution_model.model_judge([row.window() for row in rows], args)
    if judge is None:
        return
    if args.wrong:
        _show_wrong(rows, judge)
    print(json.dumps(score(rows, judge, sure=args.sure if args.abstain else None)))


def read_rows(path: Path) -> list[Row]:
    """The rows of a data file.

    Raises:
        ScriptError: the file has no rows, or a row is broken; the message has its number, counted from 1.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            rows.append(_row(line, f"{path}: row {number}"))
    if not rows:
        raise ScriptError(f"{path} has no rows: give one JSON object a line")
    return rows


def _row(line: str, place: str) -> Row:
    try:
        return Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ScriptError(f"{place}: {f'{field}: ' if field else ''}{message}") from error


def score(rows: Sequence[Row], judge: Judge, *, sure: float | None = None) -> dict[str, Any]:
    """The share of rows whose likeliest candidate is the speaker; with ``sure``, also of those answered."""
    right: dict[str, list[bool]] = defaultdict(list)
    answered = []
    for row in rows:
        chances = judge(row.window())
        best = max(chances, key=lambda name: chances[name])
        right[row.category].append(best == row.speaker)
        if sure is not None and chances[best] >= sure:
            answered.append(best == row.speaker)
    every = [value for values in right.values() for value in values]
    result: dict[str, Any] = {"n": len(rows), "accuracy": _share(every)}
    result["by_category"] = {name: _share(right[name]) for name in ("explicit", "implicit", "latent") if name in right}
    if sure is not None:
        result |= {"answered": round(len(answered) / len(rows), 4), "accuracy_answered": _share(answered)}
    return result


def _share(values: Sequence[bool]) -> float:
    return round(sum(values) / max(len(values), 1), 4)


def nearest(window: Window) -> dict[str, float]:
    """The baseline: the candidate mentioned nearest to the quote, outside quotes; before wins over after."""
    found: dict[str, float] = {}
    for i, sentence in enumerate(window.sentences):
        told = _QUOTED.sub("", sentence)
        for start, _, name in window.people.names.find(told):
            side = 0.5 if i > window.target else 0.0
            distance = abs(i - window.target) + side - start / 10_000
            found[name] = min(found.get(name, 1e9), max(distance, 0.0))
    return {name: 1 / (1 + found[name]) if name in found else 0.0 for name in window.people.all}


def _show_wrong(rows: Sequence[Row], judge: Judge) -> None:
    for number, row in enumerate(rows, 1):
        chances = judge(row.window())
        best = max(chances, key=lambda name: chances[name])
        if best != row.speaker:
            shown = f"{best} {chances[best]:.2f}, not {row.speaker} {chances[row.speaker]:.2f}"
            print(f"row {number} {row.category}: {shown}: {row.sentences[row.target_index]}")


def _make(args: argparse.Namespace) -> None:
    rows = list(make_rows(World.load(args.make_from), split=args.split))
    files.write_jsonl(args.data, rows)
    print(f"{len(rows)} rows -> {args.data}")


def make_rows(world: World, *, split: bool = False) -> Iterator[dict[str, Any]]:
    """Labelled windows from a world's gold script; ``split``: cut at the ends of sentences and quotes."""
    text = read_novel(world.novel()).text
    spans = [span for span in paragraph_spans(text) if text[slice(*span)].strip()]
    if split:
        spans = [piece for span in spans for piece in _pieces(text, span)]
    gold = [line for line in world.read_script() if line.kind in ("say", "think") and line.span]
    cast = {character.name: character for character in world.info.characters}
    canonical = {alias: name for name, character in cast.items() for alias in character.aliases}
    for line in gold:
        at = next((i for i, span in enumerate(spans) if line.span and span[0] <= line.span[0] < span[1]), None)
        if at is None:
            continue
        around = [spans[i] if 0 <= i < len(spans) else (0, 0) for i in range(at - _SIDE, at + _SIDE + 1)]
        sentences = [text[slice(*span)].strip() for span in around]
        speaker = canonical.get(line.char or "", line.char or "")
        yield {
            "sentences": sentences,
            "target_index": _SIDE,
            "candidates": _candidates("".join(sentences), cast, speaker),
            "speaker": speaker,
            "category": _category(line),
        }


def _pieces(text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    return [match.span() for match in _PIECE.finditer(text, *span) if match[0].strip()]


def _category(line: Line) -> Category:
    if line.cue in _EXPLICIT:
        return "explicit"
    return "implicit" if line.cue in _IMPLICIT else "latent"


def _candidates(text: str, cast: dict[str, Any], speaker: str) -> list[dict[str, Any]]:
    """Those of the cast whom the window mentions, and the speaker."""
    people = People({name: character.aliases for name, character in cast.items()})
    named = {name for _, _, name in people.names.find(text)} | {speaker}
    return [
        {"name": name, "aliases": list(character.aliases), "gender": character.gender}
        for name, character in cast.items()
        if name in named
    ] + ([] if speaker in cast else [{"name": speaker, "aliases": [], "gender": None}])


if __name__ == "__main__":
    sys.exit(main())
