"""Fits how the rules weigh what tells who speaks: `python -m benchmarks.speakers [--write TABLE]`.

Reads the example world's script and the labelled excerpts of ``tests/data/speakers/tuning``, each
with the same weight, and fits ``weights.json`` by likelihood through the second-order smoothing,
drawn to the values that are there: run again, it goes on from them. ``calibration.json`` is fitted
to the verdicts by the weights that are there. ``held_out`` is only scored. One core, a minute.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch

from roleplay.distill.rules import calibration, evidence, speakers
from roleplay.distill.rules.cues import GROUP, PRONOUNS
from roleplay.distill.rules.evidence import OTHER, WEIGHTS, features
from roleplay.distill.rules.script import Speakers, read_speakers
from roleplay.distill.rules.turns import Turn
from roleplay.novel.reading import read_novel
from roleplay.world import World
from tests.roleplay.distill.labelled import DATA, GROUPS, Excerpt, gold_of, read_excerpt

ROOT = Path(__file__).resolve().parents[1]
DRAWN = 0.005
"""How much a squared step from the values that are there costs, beside the mean loss of a line."""

Right = Callable[[Turn, Sequence[str]], set[str] | None]
"""Which candidates of a turn are right; None where nothing is labelled."""


@dataclass
class Book:
    """A labelled text as tensors: a row a turn."""

    label: str
    candidates: list[list[str]]
    own: list[torch.Tensor]
    """(candidates, weights) by turn."""
    voices: list[torch.Tensor]
    links: torch.Tensor
    """(2, turns, weights): for the same speaker, and for the one before the last."""
    right: list[torch.Tensor | None]
    """By turn which candidates are right, maybe none; None where nothing is labelled."""

    def chances(self, weights: torch.Tensor) -> list[torch.Tensor]:
        """The log chances of each turn's candidates; as ``smooth`` has them."""
        pad = [[OTHER], [OTHER], *self.candidates]
        same, back = self.links @ weights
        own = [one @ weights + voice for one, voice in zip(self.own, self.voices, strict=True)]
        first = [_equal(pad[t + 1], pad[t + 2]) * same[t] for t in range(len(own))]
        second = [_equal(pad[t], pad[t + 2]) * back[t] for t in range(len(own))]
        ahead = [torch.zeros(1, len(own[-1]))]
        for t in range(len(own) - 1, 0, -1):
            beyond = ahead[0] + first[t] + own[t]
            before = torch.logsumexp(second[t][:, None, :] + beyond[None], dim=2)
            ahead.insert(0, before - before.max().detach())
        found, state = [], own[0][None, :]
        for t in range(len(own)):
            if t:
                state = torch.logsumexp(state[:, :, None] + second[t][:, None, :], dim=0)
                state = state + first[t] + own[t]
                state = state - state.max().detach()
            found.append(torch.log_softmax(torch.logsumexp(state + ahead[t], dim=0), 0))
        return found

    def loss(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean negative log chance of who is right."""
        pairs = zip(self.chances(weights), self.right, strict=True)
        told = ((logs, right) for logs, right in pairs if right is not None and right.any())
        lost = [-torch.logsumexp(logs[right], 0) for logs, right in told]
        return torch.stack(lost).mean()

    def accuracy(self, weights: torch.Tensor) -> float:
        """The share of labelled turns whose likeliest candidate is right."""
        with torch.no_grad():
            pairs = zip(self.chances(weights), self.right, strict=True)
            hits = [bool(right[logs.argmax()]) for logs, right in pairs if right is not None]
        return sum(hits) / len(hits)


def _equal(one: Sequence[str], two: Sequence[str]) -> torch.Tensor:
    return torch.tensor([[float(a == b != OTHER) for b in two] for a in one])


def read_book(
    label: str, read: Callable[[], Speakers], is_right: Callable[[Speakers], Right]
) -> tuple[Book, Speakers]:
    """A text with its features; ``read`` tells its speakers."""
    seen: dict[int, tuple[dict[str, dict[str, float]], dict[str, float]]] = {}

    def weigh(turn: Turn, around: evidence.Around, *rest: object) -> dict[str, float]:
        seen[id(turn)] = features(turn, around, *rest), dict(around.voices)  # type: ignore[arg-type]
        return evidence.weigh(turn, around, *rest)  # type: ignore[arg-type]

    with mock.patch.object(speakers, "weigh", weigh):
        found = read()
    right, turns = is_right(found), [verdict.turn for verdict in found.verdicts]
    keys, book = (
        list(WEIGHTS),
        Book(label, [], [], [], torch.zeros(2, len(turns), len(WEIGHTS)), []),
    )
    for i, turn in enumerate(turns):
        named = turn.cue and turn.cue.who not in (None, *PRONOUNS)
        told, voices = ({turn.cue.who or "": {}}, {}) if named and turn.cue else seen[id(turn)]
        rows = [[own.get(key, 0.0) for key in keys] for own in told.values()]
        book.candidates.append(list(told))
        book.own.append(torch.tensor(rows))
        book.voices.append(torch.tensor([voices.get(name, 0.0) for name in told]))
        for way, names in enumerate(speakers.link_features(turns, i)):
            for key in names:
                book.links[way, i, keys.index(key)] = 1
        who = right(turn, list(told))
        mask = torch.tensor([name in (who or ()) for name in told])
        book.right.append(None if who is None else mask)
    return book, found


def read_labelled(path: Path) -> tuple[Book, Speakers, Excerpt]:
    """An excerpt, with the cast that the rules discover."""
    excerpt = read_excerpt(path)

    def is_right(found: Speakers) -> Right:
        known = found.people.all

        def right(turn: Turn, names: Sequence[str]) -> set[str] | None:
            golds = [gold_of(excerpt, quote.span) for quote in turn.quotes]
            who = next((gold.speaker for gold in golds if gold and gold.speaker), None)
            if who is None:
                return None
            if who in GROUPS:
                return {GROUP} if GROUP in names else {OTHER}
            fitting = {name for name in names if name and excerpt.right(name, who)}
            unknown = not any(excerpt.right(name, who) for name in known)
            return fitting or ({OTHER} if unknown else set())

        return right

    text, language = excerpt.text, excerpt.language
    book, found = read_book(path.stem, lambda: read_speakers(text, {}, language=language), is_right)
    return book, found, excerpt


def read_world() -> tuple[Book, Speakers]:
    """The example world, with the cast of its world.json."""
    world = World.load(ROOT / "worlds" / "chuiyan")
    people = world.info.characters
    names = {alias: one.name for one in people for alias in one.aliases}
    names |= {one.name: one.name for one in people}
    told = {line.span[1]: line.char or "" for line in world.read_script() if line.span}

    def is_right(_: Speakers) -> Right:
        def right(turn: Turn, __: Sequence[str]) -> set[str] | None:
            ends = [told[q.span[1]] for q in turn.quotes if q.span[1] in told]
            return {names.get(ends[0], OTHER)} if ends else None

        return right

    cast, genders = {p.name: p.aliases for p in people}, {p.name: p.gender for p in people}
    text = read_novel(world.novel()).text
    return read_book("world", lambda: read_speakers(text, cast, genders=genders), is_right)


def fit(books: Sequence[Book]) -> torch.Tensor:
    """The weights of the lowest mean loss."""
    start = torch.tensor(list(WEIGHTS.values()))
    weights = start.clone().requires_grad_()
    search = torch.optim.LBFGS([weights], max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        search.zero_grad()
        mean = torch.stack([book.loss(weights) for book in books]).mean()
        total = mean + DRAWN * ((weights - start) ** 2).sum()
        torch.autograd.backward(total)
        return total

    search.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach()


def calibrate(books: Sequence[Book], read: Sequence[Speakers]) -> dict[str, list[float]]:
    """(a, b) for each kind of rule: the chance that its candidate is right is σ(a + b·logit)."""
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for book, found in zip(books, read, strict=True):
        share = 1 / sum(right is not None for right in book.right)
        triples = zip(found.verdicts, book.candidates, book.right, strict=True)
        for verdict, names, right in triples:
            if right is not None and verdict.best:
                chance = calibration.inside(verdict.chances[verdict.best])
                hit = verdict.best in names and bool(right[names.index(verdict.best)])
                kind = calibration.kind_of(verdict.rule)
                rows[kind].append((math.log(chance / (1 - chance)), float(hit), share))
    return {kind: _curve(torch.tensor(found).T) for kind, found in sorted(rows.items())}


def _curve(rows: torch.Tensor) -> list[float]:
    """(a, b) by the weighted likelihood; drawn to the plain chance, as its lines are few."""
    logit, hit, share = rows
    curve = torch.tensor([0.0, 1.0], requires_grad=True)
    search = torch.optim.LBFGS([curve], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        search.zero_grad()
        lost = torch.nn.functional.binary_cross_entropy_with_logits(
            curve[0] + curve[1] * logit, hit, share / share.sum(), reduction="sum"
        )
        total = lost + DRAWN * (curve[0] ** 2 + (curve[1] - 1) ** 2)
        torch.autograd.backward(total)
        return total

    search.step(closure)  # type: ignore[no-untyped-call]
    return [round(value, 2) for value in curve.tolist()]


def main() -> None:
    """Fit, print, and write where that is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", choices=("weights", "calibration"), help="the table to write")
    write = parser.parse_args().write
    torch.set_num_threads(1)
    labelled = {
        folder: [read_labelled(path) for path in sorted((DATA / folder).glob("*.txt"))]
        for folder in ("tuning", "held_out")
    }
    world, told = read_world()
    books = [*(book for book, *_ in labelled["tuning"]), world]
    start, weights = torch.tensor(list(WEIGHTS.values())), fit(books)
    for folder, ones in labelled.items():
        for book, *_ in ones:
            was, now = book.accuracy(start), book.accuracy(weights)
            print(f"{folder:9} {book.label:12} before {was:.3f} after {now:.3f}")
    print(f"world before {world.accuracy(start):.3f} after {world.accuracy(weights):.3f}")
    fitted = {key: round(float(one), 2) for key, one in zip(WEIGHTS, weights, strict=True)}
    curves = calibrate(books, [*(found for _, found, _ in labelled["tuning"]), told])
    home = Path(evidence.__file__).parent
    for name, table in (("weights", fitted), ("calibration", curves)):
        print(name, json.dumps(table))
        if write == name:
            (home / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
