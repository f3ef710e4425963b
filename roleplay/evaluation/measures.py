"""A player put to the test: role choice, identity, things unknown, facts, and the wealth of its replies.

    found = measure(player, material, settings)
    found["闻筝"].identity          # [True, True, False, ...], one a probe
    summary(found, ["闻筝", "陆迟"])["identity"]      # the share over both

Replies to questions are greedy; scene replies are drawn with a fixed seed. Losses need the model before its adapter is
merged and are taken by :func:`roleplay.training.steps.mean_loss`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from roleplay.backends.local import LocalBackend
from roleplay.dialogue import Player, Session, last_reply
from roleplay.evaluation.form import answers_remark, check_form, distinct_2, holds_fact, names_itself, share
from roleplay.evaluation.roles import choose_role, role_places
from roleplay.prompts import Prompt
from roleplay.records import Line, Question
from roleplay.sampling import SamplingParams

BATCH = 16
"""Prompts that are answered at once."""

_SHORT = 3


@dataclass(frozen=True)
class Material:
    """What a player is asked.

    Attributes:
        chapters: the held-out chapters' lines.
        aliases: name -> all names of that character, its own among them.
        identity: ways to ask who somebody is, of which none was trained.
        unknown: questions about what no novel's world has.
        remarks: what asks for nothing, and still wants an answer.
        questions: with the facts that right answers hold.
        is_flavoured: whether a text sounds like an assistant.
        profiles: what stands first in prompts, for a model trained so.
    """

    chapters: Sequence[Sequence[Line]]
    aliases: Mapping[str, Sequence[str]]
    identity: Sequence[str]
    unknown: Sequence[str]
    remarks: Sequence[str]
    questions: Sequence[Question]
    is_flavoured: Callable[[str], bool]
    profiles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Amount:
    """How much is measured: lines for role choice in all, probes and questions a character (0: all), scene places."""

    roles: int = 60
    probes: int = 20
    questions: int = 0
    scenes: int = 12
    candidates: int = 4


@dataclass
class Found:
    """The outcomes for one character; ``replies`` are drawn scene lines, ``answers`` all greedy ones."""

    role: list[bool] = field(default_factory=list)
    identity: list[bool] = field(default_factory=list)
    facts: list[bool] = field(default_factory=list)
    facts_without: list[bool] = field(default_factory=list)
    remarks: list[bool] = field(default_factory=list)
    form: list[bool] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    answers: list[dict[str, str]] = field(default_factory=list)


def measure(player: Player, material: Material, names: Sequence[str], amount: Amount) -> dict[str, Found]:
    """Everything, by character.

    Args:
        player: its backend is a :class:`LocalBackend` of a causal model.
        names: who is measured; roles are chosen among all of ``material.aliases``' first names that are in it.
    """
    found = {name: Found() for name in names}
    backend = player.backend
    assert isinstance(backend, LocalBackend), "measures read likelihoods, which only a local model gives"
    rivals = [name for name in material.aliases if any(_speaks(lines, name) for lines in material.chapters)]
    for place in role_places(material.chapters, names, most=amount.roles):
        choice = choose_role(backend, place, rivals, profiles=material.profiles)
        found[place.line.char or ""].role.append(choice == place.line.char)
    asker = _Asker(player)
    _identity(asker, material, found, amount)
    _facts(asker, material, found, amount)
    _remarks(asker, material, found, amount)
    _unknown(asker, material, found, amount)
    _scenes(player, material, found, amount)
    return found


def _speaks(lines: Sequence[Line], name: str) -> bool:
    return any(line.char == name and line.kind == "say" for line in lines)


class _Silent:
    """A backend that says nothing: with it a player only makes prompts."""

    def __init__(self, real: LocalBackend) -> None:
        self.name, self.context, self.count = real.name, real.context, real.count

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        yield [""] * n


class _Asker:
    """Asks many questions at once, greedily."""

    def __init__(self, player: Player) -> None:
        assert isinstance(player.backend, LocalBackend)
        self._backend = player.backend
        self._maker = copy.copy(player)
        self._maker.backend = _Silent(player.backend)

    def ask(self, asked: Sequence[tuple[str, str]], *, background: bool, tokens: int = 40) -> list[str]:
        """The answers to (character, question) pairs."""
        params = SamplingParams.checked(temperature=0, max_new_tokens=tokens)
        prompts = [
            last_reply(self._maker.ask(name, question, n=1, params=params, background=background)).prompt
            for name, question in asked
        ]
        order = sorted(range(len(prompts)), key=lambda number: len(prompts[number].text))
        replies = [""] * len(prompts)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            answers = self._backend.reply_to_all([prompts[number] for number in part], params=params)
            for number, answer in zip(part, answers, strict=True):
                replies[number] = answer
        return replies


def _identity(asker: _Asker, material: Material, found: dict[str, Found], amount: Amount) -> None:
    asked = [(name, question) for name in found for question in material.identity[: amount.probes]]
    for (name, question), reply in zip(asked, asker.ask(asked, background=False), strict=True):
        others = [alias for other, names in material.aliases.items() if other != name for alias in names]
        right = names_itself(reply, material.aliases[name], others)
        found[name].identity.append(right)
        found[name].answers.append(_answer("identity", question, reply, right))


def _facts(asker: _Asker, material: Material, found: dict[str, Found], amount: Amount) -> None:
    wanted = [
        row
        for name in found
        for row in [row for row in material.questions if row.character == name][: amount.questions or None]
    ]
    asked = [(row.character, row.question) for row in wanted]
    for background, kind in ((True, "facts"), (False, "facts_without")):
        for row, reply in zip(wanted, asker.ask(asked, background=background), strict=True):
            right = holds_fact(reply, row)
            getattr(found[row.character], kind).append(right)
            found[row.character].answers.append(_answer(kind, row.question, reply, right))


def _remarks(asker: _Asker, material: Material, found: dict[str, Found], amount: Amount) -> None:
    """With background, as the app asks: is a remark met with more than the name, or that one does not know?"""
    asked = [(name, text) for name in found for text in material.remarks[: amount.probes]]
    for (name, text), reply in zip(asked, asker.ask(asked, background=True), strict=True):
        right = answers_remark(reply, material.aliases[name])
        found[name].remarks.append(right)
        found[name].answers.append(_answer("remark", text, reply, right))


def _unknown(asker: _Asker, material: Material, found: dict[str, Found], amount: Amount) -> None:
    """Answers to what nobody in the story can know; they are read by a person, not judged."""
    asked = [(name, question) for name in found for question in material.unknown[: max(1, amount.probes // 4)]]
    for (name, question), reply in zip(asked, asker.ask(asked, background=False), strict=True):
        found[name].answers.append(_answer("unknown", question, reply, None))


def _scenes(player: Player, material: Material, found: dict[str, Found], amount: Amount) -> None:
    params = SamplingParams.checked(seed=11, max_new_tokens=48)
    names, lines = list(found), [line for chapter in material.chapters for line in chapter]
    for number in range(amount.scenes):
        end = min(12 + number * max(len(lines) - 12, 0) // amount.scenes, len(lines))
        name = names[number % len(names)]
        session = Session(tuple(lines[max(0, end - 12) : end]))
        for reply in last_reply(player.act(name, session, n=amount.candidates, params=params)).candidates:
            found[name].replies.append(reply)
            found[name].form.append(check_form(reply, name, list(material.aliases)) is None)


def _answer(kind: str, question: str, reply: str, right: bool | None) -> dict[str, str]:
    return {"kind": kind, "question": question, "answer": reply, "right": "" if right is None else str(right).lower()}


def is_interjection(text: str) -> bool:
    """Whether a reply says at most three letters or digits ("啊？"); acts are none."""
    return not text.startswith("\\me") and sum(letter.isalnum() for letter in text.split("\\emoji")[0]) <= _SHORT


def summary(found: Mapping[str, Found], names: Sequence[str], material: Material) -> dict[str, float | None]:
    """The shares over some characters; None where nothing was measured."""
    parts = [found[name] for name in names]
    result: dict[str, float | None] = {}
    for kind in ("role", "identity", "facts", "facts_without", "remarks", "form"):
        outcomes = [right for part in parts for right in getattr(part, kind)]
        result[kind] = share(outcomes) if outcomes else None
    replies = [reply for part in parts for reply in part.replies]
    answers = [row["answer"] for part in parts for row in part.answers if row["kind"] != "unknown"]
    result["distinct_2"] = distinct_2(replies)
    result["interjections"] = share([is_interjection(reply) for reply in replies])
    result["flavour"] = share([material.is_flavoured(text) for text in (*replies, *answers)])
    return result
