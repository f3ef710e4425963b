"""Score who-speaks on labelled windows, or make such windows from a gold script.

    run(Settings(data=Path("tests/data/attribution_own.jsonl"), baseline="nearest"), show)
    run(Settings(data=Path("OUT.jsonl"), make_from=Path("worlds/chuiyan")), show)

    nearest  {"n": 66, "accuracy": 0.6364, "by_category": {...}}
    {"n": 66, "accuracy": 0.9848, "by_category": {"explicit": 1.0, "implicit": 1.0, ...}}

A row is a quote (``sentences[target_index]``) between its neighbours, with the candidates and the
true speaker::

    {"sentences": [21 strings], "target_index": 10, "speaker": "闻筝", "category": "explicit",
     "candidates": [{"name": "闻筝", "aliases": ["小筝"], "gender": "f"}, ...]}

Each row is judged alone: nothing is learned from the others. With a model its choice and the rules'
chances are multiplied: a sure cue stands against an unsure model, and the other way round. Answers
stand in DATA.ledger.jsonl.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from roleplay import files
from roleplay.distill.llm.client import PendingError
from roleplay.distill.llm.ledger import Entry, Ledger
from roleplay.distill.llm.replies import read_objects
from roleplay.distill.llm.requests import LLMRequest, request_for
from roleplay.distill.rules.people import People
from roleplay.distill.rules.windows import Window, people_of, tell_window
from roleplay.errors import FormError, ScriptError, reason
from roleplay.novel.paragraphs import paragraph_spans
from roleplay.novel.reading import read_novel
from roleplay.options import Options, group, option, required
from roleplay.records import Line, Record
from roleplay.stages.backend import Backend, give_batch, take_batch, tell_estimate
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import Character, World

SURE = 0.93
"""With ``abstain``, a row is answered when the first candidate's chance is at least so high."""

_UNSURE = 0.6
"""Taken where a model gives no confidence that can be read."""

_SIDE = 10
_EXPLICIT = ("before", "after", "inside")
_IMPLICIT = ("action", "pronoun", "thought")
_QUOTED = re.compile(r"[“「『\"‘].*?[”」』\"’]")
# A quote with what introduces it, a sentence with its marks, or marks that are left over.
_PIECE = re.compile(r"[^。！？…“”]*“[^”]*”|[^。！？…“”]+[。！？…]*|[。！？…]+")

Category = Literal["explicit", "implicit", "latent"]
Judge = Callable[[Window], Mapping[str, float]]


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    data: Path = required("labelled windows, JSON Lines", "标注好的窗口", positional=True)
    backend: Backend = group(Backend)
    abstain: bool = option(False, "let doubtful rows go unanswered", "拿不准的不答")
    sure: float = option(SURE, "chance from which to answer", "多大把握才答", least=0, most=1)
    baseline: Literal["", "nearest"] = option("", "score this as well", "同时给这个打分")
    wrong: bool = option(False, "show the rows that are wrong", "列出答错的行")
    make_from: Path | None = option(None, "write DATA from this world", "从这个世界写出 DATA")
    split: bool = option(False, "then by sentences, not paragraphs", "按句子写，而不是段落")


class Candidate(Record):
    """One who may be the speaker."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    gender: Literal["f", "m", "null"] | None = None


class Row(Record):
    """A labelled window."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sentences: tuple[str, ...] = Field(min_length=1)
    target_index: int = Field(ge=0)
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    speaker: str
    category: Category

    @model_validator(mode="after")
    def _check(self) -> "Row":
        if (index := self.target_index) >= (count := len(self.sentences)):
            raise FormError("attribution.outside", index=index, count=count)
        names = [candidate.name for candidate in self.candidates]
        if self.speaker not in names:
            raise FormError("attribution.no-candidate", speaker=self.speaker, names=" ".join(names))
        return self

    def window(self) -> Window:
        """The row without its answer."""
        cast = {candidate.name: candidate.aliases for candidate in self.candidates}
        genders = {candidate.name: candidate.gender for candidate in self.candidates}
        return Window(self.sentences, self.target_index, people_of(cast, genders))


def run(settings: Settings, listener: Listener = silent) -> dict[str, Any]:
    """The score; empty where rows were made, or requests written to a batch file.

    Raises:
        WorldError: there is no such file or world.
        ScriptError: no rows, or a broken one; the message has its number, counted from 1.
        ModelError: the endpoint failed, or a limit was reached.
    """
    say = Teller("attribution", listener)
    if settings.make_from:
        made = list(make_rows(World.load(settings.make_from), split=settings.split))
        files.write_jsonl(settings.data, made)
        say.say("attribution.made", count=len(made), path=settings.data)
        return {}
    rows = read_rows(settings.data)
    if settings.baseline:
        say.say("plain", text=f"{settings.baseline}  {json.dumps(score(rows, nearest))}")
    judge: Judge | None = tell_window
    if settings.backend.asks:
        judge = model_judge([row.window() for row in rows], settings, say)
    if judge is None:
        return {}
    if settings.wrong:
        for told in wrong_rows(rows, judge):
            say.say("plain", text=told)
    found = score(rows, judge, sure=settings.sure if settings.abstain else None)
    say.say("plain", text=json.dumps(found))
    return found


def read_rows(path: Path) -> list[Row]:
    """The rows of a data file. Raises as :func:`run`."""
    rows = []
    for number, line in enumerate(files.read_text(path).split("\n"), 1):
        try:
            rows += [Row.model_validate_json(line)] if line.strip() else []
        except ValidationError as error:
            values = {"path": path, "row": number, "reason": reason(error)}
            raise ScriptError("attribution.bad-row", **values) from error
    if not rows:
        raise ScriptError("attribution.no-rows", path=path)
    return rows


def score(rows: Sequence[Row], judge: Judge, *, sure: float | None = None) -> dict[str, Any]:
    """The share of rows whose likeliest candidate speaks; with ``sure``, also of those answered."""
    right: dict[str, list[bool]] = defaultdict(list)
    answered = []
    for row in rows:
        best, chance = _best(judge(row.window()))
        right[row.category].append(best == row.speaker)
        if sure is not None and chance >= sure:
            answered.append(best == row.speaker)
    result: dict[str, Any] = {"n": len(rows), "accuracy": _share([*chain(*right.values())])}
    known = [name for name in ("explicit", "implicit", "latent") if name in right]
    result["by_category"] = {name: _share(right[name]) for name in known}
    if sure is not None:
        result["answered"] = round(len(answered) / len(rows), 4)
        result["accuracy_answered"] = _share(answered)
    return result


def _best(chances: Mapping[str, float]) -> tuple[str, float]:
    return max(chances.items(), key=lambda item: item[1])


def _share(values: Sequence[bool]) -> float:
    return round(sum(values) / max(len(values), 1), 4)


def nearest(window: Window) -> dict[str, float]:
    """The baseline: who is named nearest to the quote, outside quotes; before wins over after."""
    found: dict[str, float] = {}
    for i, sentence in enumerate(window.sentences):
        told = _QUOTED.sub("", sentence)
        for start, _, name in window.people.names.find(told):
            side = 0.5 if i > window.target else 0.0
            # Of two mentions in one sentence the later one counts as nearer.
            distance = abs(i - window.target) + side - start / 10_000
            found[name] = min(found.get(name, 1e9), max(distance, 0.0))
    return {name: 1 / (1 + found[name]) if name in found else 0.0 for name in window.people.all}


def wrong_rows(rows: Sequence[Row], judge: Judge) -> Iterator[str]:
    """One line for each row whose likeliest candidate is not the speaker."""
    for number, row in enumerate(rows, 1):
        chances = judge(row.window())
        best, chance = _best(chances)
        if best != row.speaker:
            shown = f"{best} {chance:.2f}, not {row.speaker} {chances[row.speaker]:.2f}"
            yield f"row {number} {row.category}: {shown}: {row.sentences[row.target_index]}"


def model_judge(windows: Sequence[Window], settings: Settings, say: Teller) -> Judge | None:
    """A judge that knows the model's answers; None where nothing is to be judged in this run."""
    backend, ledger = settings.backend, Ledger(settings.data.with_suffix(".ledger.jsonl"))
    take_batch(backend, ledger, say)
    meter = backend.meter(ledger)
    requests = [request_of(window, backend.model) for window in windows]
    tell_estimate(requests, ledger, meter, say, settings=backend)
    if backend.dry_run:
        return None
    client = backend.client(ledger, meter, alone=backend.batch_in is not None)

    async def ask() -> list[LLMRequest]:
        """Ask what the ledger lacks; the requests that stay open."""
        async with client:
            found = await asyncio.gather(*map(client.ask, requests), return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException) and not isinstance(error, PendingError):
                raise error
        return list(client.pending.values())

    if give_batch(backend, asyncio.run(ask()), say):
        return None
    return lambda window: combined(window, ledger.get(request_of(window, backend.model).key))


def request_of(window: Window, model: str) -> LLMRequest:
    """The request of a window; empty sentences at its edges are left out."""
    forms = window.people.names.canonical.items()
    names = []
    for name in window.people.all:
        others = " ".join(form for form, of in forms if of == name != form)
        names.append(f"{name}：{others or '无'}")
    texts = [(at, text) for at, text in enumerate(window.sentences) if text]
    marked = [f"{'>> ' if at == window.target else ''}{text}" for at, text in texts]
    slots = {"candidates": "\n".join(names), "sentences": "\n".join(marked)}
    return request_for("attribute", model, slots, expected_tokens=40)


def combined(window: Window, entry: Entry | None) -> dict[str, float]:
    """The candidates' chances by rules and model; by rules alone where the answer names none."""
    chances = tell_window(window)
    items = read_objects(entry.text)[0] if entry and entry.finish != "length" else []
    answer = items[0] if items else {}
    named = window.people.names.canonical.get(str(answer.get("speaker")).strip())
    if not answer or named not in chances:
        return chances
    value = answer.get("confidence")
    # Never quite sure, so that a certain cue of the rules is not erased.
    sure = min(max(float(value), 0.05), 0.95) if isinstance(value, int | float) else _UNSURE
    weights = dict.fromkeys(chances, (1 - sure) / max(len(chances) - 1, 1)) | {named: sure}
    weighed = {name: chance * weights[name] for name, chance in chances.items()}
    total = sum(weighed.values()) or 1.0
    return {name: chance / total for name, chance in weighed.items()}


def make_rows(world: World, *, split: bool = False) -> Iterator[dict[str, Any]]:
    """Labelled windows from a world's gold script; ``split``: cut after sentences and quotes."""
    text = read_novel(world.novel()).text
    spans = [span for span in paragraph_spans(text) if text[slice(*span)].strip()]
    if split:
        found = [match for span in spans for match in _PIECE.finditer(text, *span)]
        spans = [match.span() for match in found if match[0].strip()]
    people = world.info.characters
    canonical = {alias: person.name for person in people for alias in person.aliases}
    for line in world.read_script():
        start = line.span[0] if line.span and line.kind in ("say", "think") else -1
        at = next((i for i, span in enumerate(spans) if span[0] <= start < span[1]), None)
        if at is None:
            continue
        places = range(at - _SIDE, at + _SIDE + 1)
        around = [spans[i] if 0 <= i < len(spans) else (0, 0) for i in places]
        sentences = [text[slice(*span)].strip() for span in around]
        speaker = canonical.get(line.char or "", line.char or "")
        yield {
            "sentences": sentences,
            "target_index": _SIDE,
            "candidates": _candidates("".join(sentences), people, speaker),
            "speaker": speaker,
            "category": _category(line),
        }


def _category(line: Line) -> Category:
    if line.cue in _EXPLICIT:
        return "explicit"
    return "implicit" if line.cue in _IMPLICIT else "latent"


def _candidates(text: str, people: Sequence[Character], speaker: str) -> list[dict[str, Any]]:
    """Those of the cast whom the window mentions, and the speaker."""
    names = People({person.name: person.aliases for person in people}).names
    named = {name for _, _, name in names.find(text)} | {speaker}
    found = [person for person in people if person.name in named]
    if speaker not in {person.name for person in people}:
        found.append(Character(name=speaker))
    return [{"name": one.name, "aliases": list(one.aliases), "gender": one.gender} for one in found]
