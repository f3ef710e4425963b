"""Put a character's model to the test: loss, role choice, identity, facts, what was forgotten.

    run(Settings(world=Path("worlds/chuiyan")), show)
    run(Settings(world=Path("worlds/chuiyan"), choice=Choice(checkpoint="none")), show)  # the base

Gives a Markdown table; ``output`` keeps every answer beside it, to be read. Questions are answered
greedily, with background from the world's knowledge base and without. Nothing is judged by another
model. Causal models only.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kb.embedding import get_embedder
from roleplay import files
from roleplay.adapters.checkpoint import load_adapter, public_name
from roleplay.backends.local import LocalBackend
from roleplay.dataset import assistant_isms, protection
from roleplay.dataset.texts import items
from roleplay.dialogue import CharacterAgent
from roleplay.errors import ModelError
from roleplay.evaluation import measures, sheet, talk
from roleplay.evaluation.measures import EvalResult, EvalSet, EvalSizes
from roleplay.models import causal, loading
from roleplay.options import DataOptions, group, option
from roleplay.ranking import Ranker
from roleplay.records import Passage
from roleplay.stages.character import (
    Choice,
    choose_checkpoint,
    join_agent,
    sense_of,
    trained_profiles,
)
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.training.data import encode_passages, read_passages
from roleplay.training.steps import mean_loss
from roleplay.world import World

COLUMNS = {
    "loss": "held-out loss",
    "general_loss": "loss on general text",
    "role": "role choice",
    "identity": "identity",
    "facts": "facts with background",
    "facts_without": "facts without",
    "small_talk": "small talk answered",
    "form": "well-formed",
    "distinct_2": "distinct-2",
    "interjections": "bare interjections",
    "assistant_isms": "assistant-isms",
    "relevance": "fits its question",
    "similarity": "near its question",
    "voice": "recognised",
    "voice_novel": "novel's own lines recognised",
    "template": "templates",
    "foreign": "others' catchphrases",
    "copy": "copied",
    "longest_copy": "letters copied",
    "distinct": "distinct of five",
}
"""Field of a result -> heading of its column."""

_LOSSES = ("loss", "general_loss", "distinct_2", "longest_copy")
_LONGEST = 1024


@dataclass(frozen=True)
class Settings(DataOptions):
    """The options of the stage."""

    choice: Choice = group(Choice)
    characters: tuple[str, ...] = option(
        (), "who is measured (default: those with questions, or all)", "测谁（默认：有题的）"
    )
    test_loss: bool = option(True, "take the loss on held-out chapters", "测留出章节上的损失")
    output: Path | None = option(None, "JSON file for figures and answers", "写出数字和回答的 JSON")
    sheet: Path | None = option(
        None,
        "JSON Lines file for readers: replies of this model are added to it, whose they are hidden",
        "给人读的 JSON Lines：把这个模型的回答加进去，看不出是谁的",
    )
    marks: tuple[Path, ...] = option(
        (), "count the readers' marks in these sheets, and do no more", "只统计这些表上读者的评分"
    )
    sizes: EvalSizes = group(EvalSizes)


@dataclass(frozen=True)
class Evaluated:
    """The figures by name ("all" first) and column, and every outcome by name."""

    figures: Mapping[str, Mapping[str, float | None]]
    results: Mapping[str, EvalResult]


def run(settings: Settings, listener: Listener = silent) -> Evaluated:
    """Measure one model on one world, or count what readers marked.

    Raises:
        WorldError, BackgroundError: what is measured on is missing.
        ModelError, AdapterError: no such model, a ChatGLM, one at an address, an adapter that does
            not fit.
        DatasetError: a mark in a sheet is none.
    """
    say = Teller("evaluation", listener)
    if settings.marks:
        say.say("plain", text=sheet.marks_table(sheet.read_marks(settings.marks)))
        return Evaluated({}, {})
    begun = time.perf_counter()
    world, choice = World.load(settings.world), settings.choice
    if choice.endpoint:
        raise ModelError("evaluation-stage.remote", url=choice.endpoint)
    tokenizer = loading.load_tokenizer(choice.model)
    if causal.is_prefix_lm(tokenizer):
        raise ModelError("evaluation-stage.chatglm", model=choice.model)
    held_out = read_passages(world.file("test.passages.jsonl", settings.data_dir))
    eval_set = _eval_set(world, held_out)
    names = [world.character(name).name for name in settings.characters or _asked(eval_set)]
    checkpoint = choose_checkpoint(choice.checkpoint, world, choice.model, say.tell)
    model, info = loading.load_causal(choice.model), None
    if checkpoint:
        model, info = load_adapter(model, checkpoint, name=public_name(choice.model))
    passages = {"loss": held_out} if settings.test_loss else {}
    losses: dict[str, float | None] = {
        name: mean_loss(model, encode_passages(tokenizer, part, max_tokens=_LONGEST))
        for name, part in (passages | {"general_loss": protection.general_test()}).items()
    }
    backend = LocalBackend(model, tokenizer, name=public_name(choice.model), adapter=info).packed()
    eval_set = replace(eval_set, profiles=trained_profiles(world, info))
    agent = join_agent(world, backend, say.tell)
    results = measures.measure(agent, eval_set, names, settings.sizes)
    talked, talks = _talk(world, agent, names, held_out, settings.sizes)
    figures = {"all": losses | talks | measures.summary(results, names, eval_set)}
    figures |= {name: measures.summary(results, [name], eval_set) for name in names}
    say.say("plain", text=table({"all": figures["all"]} if len(names) == 1 else figures))
    said = [line.text for line in world.read_script() if line.kind == "say" and line.char in names]
    share = sum(map(measures.is_interjection, said)) / max(len(said), 1)
    say.say("evaluation-stage.interjections", share=f"{share:.1%}")
    used = checkpoint.name if checkpoint else "none"
    if settings.sheet:
        source = f"{public_name(choice.model)} {used}"
        count = sheet.add_to_sheet(settings.sheet, _sheet_rows(talked), source=source)
        say.say("evaluation-stage.sheet", path=settings.sheet, count=count)
    if settings.output:
        made: dict[str, Any] = {"model": public_name(choice.model), "checkpoint": used}
        made |= {"seconds": time.perf_counter() - begun, "sizes": asdict(settings.sizes)}
        texts = {name: (part.answers, part.replies) for name, part in results.items()}
        read = {name: {"answers": one, "replies": two} for name, (one, two) in texts.items()}
        files.write_json(
            settings.output,
            made | {"figures": figures, "read": read, "talk": [asdict(row) for row in talked]},
        )
    return Evaluated(figures, results)


def _talk(
    world: World,
    agent: CharacterAgent,
    names: Sequence[str],
    held_out: Sequence[Passage],
    sizes: EvalSizes,
) -> tuple[list[talk.Said], dict[str, float | None]]:
    """What is said to the characters in turns as the app says it, and the figures of that."""
    held = {passage.chapter for passage in held_out}
    learnt = [number for number in world.lines_by_chapter() if number not in held]
    known = sense_of(world, learnt)
    tested = sense_of(world, [number for number in held if number is not None])
    asked = [tuple(row["turns"]) for row in items("talk_test")][: sizes.talk]
    probes = [talk.TalkProbe(names[at % len(names)], turns) for at, turns in enumerate(asked)]
    if agent.ranker:
        # What stands in held-out chapters is not known to whoever orders the replies either.
        agent = replace(agent, ranker=Ranker(agent.backend, known, world.info.language))
    said = talk.ask_all(agent, probes, measures.DRAWN, n=sizes.talk_candidates)
    figures = talk.talk_figures(agent, said, known, _embedder())
    if said:
        figures["voice_novel"] = talk.voice_of_novel(known, tested.lines)
    return said, figures


def _embedder() -> talk.Embed:
    """The knowledge base's own embedder."""
    embedder = get_embedder()
    return lambda texts: embedder.encode(list(texts))


def _sheet_rows(talked: Sequence[talk.Said]) -> list[dict[str, Any]]:
    """What a reader is shown of each reply."""
    rows = []
    for row in talked:
        turns = [*row.probe.turns]
        told = [part for pair in zip(turns, [*row.earlier, ""], strict=True) for part in pair]
        rows.append({"character": row.probe.character, "said": told[:-1], "reply": row.reply})
    return rows


def _asked(eval_set: EvalSet) -> list[str]:
    """The characters that questions are put to, in the order of the cast."""
    asked = {row.character for row in eval_set.questions}
    return [name for name in eval_set.aliases if name in asked] or list(eval_set.aliases)


def _eval_set(world: World, held_out: Sequence[Passage]) -> EvalSet:
    held = {passage.chapter for passage in held_out}
    said = [line.text for line in world.read_script() if line.kind == "say"]
    questions = world.read_questions() if world.is_there("questions.jsonl") else []
    return EvalSet(
        chapters=[lines for chapter, lines in world.lines_by_chapter().items() if chapter in held],
        aliases={person.name: (person.name, *person.aliases) for person in world.info.characters},
        identity=protection.identity_probes(),
        unknown=protection.unknown_probes(),
        small_talk=protection.small_talk(),
        questions=[row for row in questions if row.source == "wiki"],
        sounds_generated=assistant_isms.learn(world.read_interviews(), said).sounds_generated,
    )


def table(result: Mapping[str, Mapping[str, float | None]]) -> str:
    """A Markdown table, one row a character."""
    kept = [name for name in COLUMNS if any(row.get(name) is not None for row in result.values())]
    lines = [f"| | {' | '.join(COLUMNS[name] for name in kept)} |", "|---" * (len(kept) + 1) + "|"]
    for title, row in result.items():
        lines.append(f"| {title} | {' | '.join(cell(name, row.get(name)) for name in kept)} |")
    return "\n".join(lines)


def cell(name: str, value: float | None) -> str:
    """A figure as a table shows it."""
    if value is None:
        return "-"
    return f"{value:.3f}" if name in _LOSSES else f"{value:.1%}"
