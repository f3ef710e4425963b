"""An agent put to the test: role choice, identity, things unknown, facts, wealth of replies.

    found = measure(agent, eval_set, ["闻筝", "陆迟"], EvalSizes())
    found["闻筝"].right["identity"]          # [True, True, False, ...], one a probe
    summary(found, ["闻筝", "陆迟"], eval_set)["identity"]      # the share over both

Replies to questions are greedy; scene replies are drawn with a fixed seed. Losses need the model
before its adapter is merged and are taken by :func:`roleplay.training.steps.mean_loss`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from roleplay.backends.local import LocalBackend
from roleplay.dialogue import CharacterAgent, Session, last_reply
from roleplay.evaluation import form
from roleplay.evaluation.roles import choose_role, role_places
from roleplay.options import Options, option
from roleplay.records import Line, Question
from roleplay.sampling import SamplingParams

_BATCH = 16
_GREEDY = SamplingParams.checked(temperature=0, max_new_tokens=40)
DRAWN = SamplingParams.checked(seed=11, max_new_tokens=64)
"""How replies are drawn, in scenes and talk."""
_SCENE = 12  # Lines of a held-out chapter that a scene reply follows.
_SHORT = 3
_KINDS = ("role", "identity", "facts", "facts_without", "small_talk", "form")

Probe = tuple[str, str, Callable[[str], bool] | None]
"""A character, a question, and what judges the answer; None where a person does."""


@dataclass(frozen=True)
class EvalSet:
    """What an agent is asked, none of it trained: held-out chapters, probes as texts, questions.

    ``aliases`` are by name all names of a character, its own among them; ``sounds_generated`` tells
    whether a text sounds like an assistant; ``profiles`` stand first in prompts of a model that was
    trained with them.
    """

    chapters: Sequence[Sequence[Line]]
    aliases: Mapping[str, Sequence[str]]
    identity: Sequence[str]
    unknown: Sequence[str]
    small_talk: Sequence[str]
    questions: Sequence[Question]
    sounds_generated: Callable[[str], bool]
    profiles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalSizes(Options):
    """How much is measured."""

    roles: int = option(60, "lines for role choice in all", "猜说话人用多少句台词（共计）", least=1)
    probes: int = option(20, "most probes of a kind a character", "每人每类试探最多几题", least=0)
    questions: int = option(0, "questions a character; 0: all", "每人几道题；0 表示全部", least=0)
    scenes: int = option(12, "scene places in all", "接几处场景（共计）", least=0)
    candidates: int = option(4, "replies a scene place", "每处场景几条候选", least=1)
    talk: int = option(60, "remarks and questions in all", "闲谈与追问共几题", least=0)
    talk_candidates: int = option(5, "replies to each of them", "每题几条候选", least=1)


@dataclass
class EvalResult:
    """What one character did: drawn scene ``replies``, greedy ``answers``, and what was right.

    ``right`` is by kind: role, identity, facts, facts_without, small_talk, form.
    """

    right: dict[str, list[bool]] = field(default_factory=lambda: {kind: [] for kind in _KINDS})
    replies: list[str] = field(default_factory=list)
    answers: list[dict[str, str]] = field(default_factory=list)


def measure(
    agent: CharacterAgent, eval_set: EvalSet, names: Sequence[str], sizes: EvalSizes
) -> dict[str, EvalResult]:
    """Everything, by character; the agent's backend is a :class:`LocalBackend` of a causal model.

    Roles are chosen among all who speak in the chapters.
    """
    found = {name: EvalResult() for name in names}
    backend = agent.backend
    assert isinstance(backend, LocalBackend), "likelihoods are what only a local model gives"
    speakers = {line.char for lines in eval_set.chapters for line in lines if line.kind == "say"}
    rivals = [name for name in eval_set.aliases if name in speakers]
    for place in role_places(eval_set.chapters, names, most=sizes.roles):
        choice = choose_role(backend, place, rivals, profiles=eval_set.profiles)
        found[place.line.char or ""].right["role"].append(choice == place.line.char)
    for kind, background, probes in _probes(eval_set, list(found), sizes):
        replies = _replies(agent, backend, probes, background=background)
        for (name, question, judge), reply in zip(probes, replies, strict=True):
            right = judge(reply) if judge else None
            if right is not None:
                found[name].right[kind].append(right)
            # A small-talk answer is a "remark" in result files, which keep their form.
            row = {"kind": kind.replace("small_talk", "remark"), "question": question}
            told = "" if right is None else str(right).lower()
            found[name].answers.append(row | {"answer": reply, "right": told})
    _scenes(agent, eval_set, found, sizes)
    return found


def _probes(
    eval_set: EvalSet, names: Sequence[str], sizes: EvalSizes
) -> Iterator[tuple[str, bool, list[Probe]]]:
    """(kind, whether with background, probes): those of a kind are answered together."""
    asked = [[row for row in eval_set.questions if row.character == name] for name in names]
    rows = chain.from_iterable(part[: sizes.questions or None] for part in asked)
    facts: list[Probe] = [
        (row.character, row.question, partial(form.holds_fact, question=row)) for row in rows
    ]
    identity, small_talk = {}, {}
    for name, own in eval_set.aliases.items():
        others = [known for other, known in eval_set.aliases.items() if other != name]
        told = list(chain.from_iterable(others))
        identity[name] = partial(form.names_itself, own=own, others=told)
        small_talk[name] = partial(form.answers_small_talk, own=own)

    def put(texts: Sequence[str], judges: Mapping[str, Callable[[str], bool]]) -> list[Probe]:
        return [(name, text, judges.get(name)) for name in names for text in texts]

    yield "identity", False, put(eval_set.identity[: sizes.probes], identity)
    yield "facts", True, facts
    yield "facts_without", False, facts
    # With background, as the app asks.
    yield "small_talk", True, put(eval_set.small_talk[: sizes.probes], small_talk)
    yield "unknown", False, put(eval_set.unknown[: max(1, sizes.probes // 4)], {})


def _replies(
    agent: CharacterAgent, backend: LocalBackend, probes: Sequence[Probe], *, background: bool
) -> list[str]:
    """Greedy answers; prompts of like length share a batch, as its padding costs time."""
    prompts = [agent.question_prompt(*probe[:2], background=background) for probe in probes]
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number].text))
    replies: dict[int, str] = {}
    for start in range(0, len(order), _BATCH):
        part = order[start : start + _BATCH]
        answers = backend.reply_to_all([prompts[number] for number in part], params=_GREEDY)
        replies |= dict(zip(part, answers, strict=True))
    return [replies[number] for number in range(len(prompts))]


def _scenes(
    agent: CharacterAgent, eval_set: EvalSet, found: dict[str, EvalResult], sizes: EvalSizes
) -> None:
    names, lines = list(found), list(chain.from_iterable(eval_set.chapters))
    for number in range(sizes.scenes):
        end = min(_SCENE + number * max(len(lines) - _SCENE, 0) // sizes.scenes, len(lines))
        name = names[number % len(names)]
        session = Session.of(lines[max(0, end - _SCENE) : end])
        drawn = last_reply(agent.act(name, session, n=sizes.candidates, params=DRAWN))
        for reply in drawn.candidates:
            found[name].replies.append(reply)
            found[name].right["form"].append(form.check_form(reply, name, eval_set.aliases) is None)


def is_interjection(text: str) -> bool:
    """Whether a reply says at most three letters or digits ("啊？"); acts are none."""
    said = sum(letter.isalnum() for letter in text.split("\\emoji")[0])
    return not text.startswith("\\me") and said <= _SHORT


def summary(
    found: Mapping[str, EvalResult], names: Sequence[str], eval_set: EvalSet
) -> dict[str, float | None]:
    """The shares over some characters; None where nothing was measured."""
    parts = [found[name] for name in names]
    result: dict[str, float | None] = {}
    for kind in _KINDS:
        outcomes = [right for part in parts for right in part.right[kind]]
        result[kind] = form.share(outcomes) if outcomes else None
    replies = [reply for part in parts for reply in part.replies]
    answers = [row["answer"] for part in parts for row in part.answers if row["kind"] != "unknown"]
    result["distinct_2"] = form.distinct_2(replies)
    result["interjections"] = form.share([is_interjection(reply) for reply in replies])
    generated = [eval_set.sounds_generated(text) for text in (*replies, *answers)]
    result["assistant_isms"] = form.share(generated)
    return result
