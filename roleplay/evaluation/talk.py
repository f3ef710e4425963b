"""How an agent talks: whether replies fit what was said, in whose voice, and what they repeat.

    rows = ask_all(agent, probes, params)          # [Said(probe, "没得商量。", (...)), ...]
    found = talk_figures(agent, rows, sense, embed)
    found["relevance"]      # share of replies that are likelier after their own question

Nothing is judged by another model: a reply is compared with other questions, and with the lines of
the novel that were learnt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from roleplay.backends.likelihood import losses
from roleplay.dialogue import CharacterAgent, last_reply
from roleplay.evaluation.form import distinct_2, share
from roleplay.prompts import ASKER, one_line
from roleplay.sampling import SamplingParams
from roleplay.script import format_cue
from roleplay.sense import Sense, letters

_OTHERS = 3
"""Other questions that a reply is compared with: chance is a quarter."""

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts -> float32 [texts, d], each of length 1."""


@dataclass(frozen=True)
class TalkProbe:
    """What is said to a character: one turn, or several, of which the last one is judged."""

    character: str
    turns: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """A probe, what was answered before, the candidates of the last turn, best first."""

    probe: TalkProbe
    earlier: tuple[str, ...]
    candidates: tuple[str, ...]

    @property
    def reply(self) -> str:
        """The candidate that is shown first."""
        return self.candidates[0]

    @property
    def question(self) -> str:
        """What was said last."""
        return self.probe.turns[-1]


def ask_all(
    agent: CharacterAgent, probes: Sequence[TalkProbe], params: SamplingParams, *, n: int
) -> list[Said]:
    """Ask every probe, turn by turn; the first candidate of a turn is what the next one follows."""
    rows = []
    for probe in probes:
        history: list[tuple[str, str]] = []
        candidates: tuple[str, ...] = ()
        for turn in probe.turns:
            asked = agent.ask(probe.character, turn, n=n, params=params, history=tuple(history))
            candidates = last_reply(asked).candidates
            history.append((turn, candidates[0]))
        earlier = tuple(answer for _, answer in history[:-1])
        rows.append(Said(probe, earlier, candidates))
    return rows


def talk_figures(
    agent: CharacterAgent, rows: Sequence[Said], sense: Sense, embed: Embed | None = None
) -> dict[str, float | None]:
    """Shares over all replies.

    relevance: likelier after its own question than after three others (chance 25 %).
    similarity: nearer to its own question than to three others, by the embedder.
    voice: the judge names the right character among all.
    template, foreign, copy: faults of :meth:`roleplay.sense.Sense.faults`.
    longest_copy: the mean longest run of letters that stands in a known line.
    distinct: different candidates among those of one question.
    """
    if not rows:
        return {}
    others = _other_questions(rows)
    names = list(sense.lines)
    faults = [sense.faults(row.probe.character, row.question, row.reply) for row in rows]
    found: dict[str, float | None] = {
        "relevance": share([_is_likelier(agent, *pair) for pair in zip(rows, others, strict=True)]),
        "similarity": _nearer(rows, others, embed) if embed else None,
        "voice": share(
            [sense.judge.choose(row.reply, names) == row.probe.character for row in rows]
        ),
    }
    found |= {
        name: share([name in row for row in faults]) for name in ("template", "foreign", "copy")
    }
    found["longest_copy"] = sum(sense.longest_copy(row.reply) for row in rows) / len(rows)
    found["distinct"] = _distinct(rows)
    found["distinct_2"] = distinct_2([row.reply for row in rows])
    return found


def voice_of_novel(sense: Sense, held_out: Mapping[str, Sequence[str]]) -> float:
    """Whether the judge names the right character of held-out lines: what replies can reach."""
    names = list(sense.lines)
    return share(
        [
            sense.judge.choose(line, names) == name
            for name, lines in held_out.items()
            for line in lines
            if name in names and len(letters(line)) > 3
        ]
    )


def _other_questions(rows: Sequence[Said]) -> list[list[str]]:
    """For each reply the questions of other rows that it is compared with."""
    chance = random.Random(3)
    asked = list(dict.fromkeys(row.question for row in rows))
    found = []
    for row in rows:
        rest = [question for question in asked if question != row.question]
        found.append(chance.sample(rest, min(_OTHERS, len(rest))))
    return found


def _is_likelier(agent: CharacterAgent, row: Said, others: Sequence[str]) -> bool:
    cue, body = format_cue(row.probe.character), f"{row.reply}\n"
    asked = [f"{ASKER}：{one_line(text)}\n{cue}" for text in (row.question, *others)]
    own, *rest = losses(agent.backend, (), [(text, body) for text in asked])
    return own < min(rest, default=float("inf"))


def _nearer(rows: Sequence[Said], others: Sequence[Sequence[str]], embed: Embed) -> float:
    replies = embed([row.reply for row in rows])
    outcomes = []
    for row, rest, reply in zip(rows, others, replies, strict=True):
        own, *far = (embed([row.question, *rest]) @ reply).tolist()
        outcomes.append(own > max(far, default=-1.0))
    return share(outcomes)


def _distinct(rows: Sequence[Said]) -> float:
    parts = [len({letters(text) for text in row.candidates}) / len(row.candidates) for row in rows]
    return sum(parts) / len(parts)
