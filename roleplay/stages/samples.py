"""Ask characters questions and let them act; the samples as Markdown.

    run(Settings(world=Path("worlds/chuiyan"), questions=("你是谁？",), samples=3), show)

Every question is put to every character, with background from the world's knowledge base unless it
is off. A scene is script text, in which each character acts next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roleplay import files
from roleplay.dialogue import CharacterAgent, Reply, Session, last_reply
from roleplay.errors import DialogueError
from roleplay.options import WorldOptions, group, option
from roleplay.sampling import MAX_NEW_TOKENS, MAX_SAMPLES, SamplingParams
from roleplay.stages.cast import questions_of
from roleplay.stages.character import Choice, load_agent
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    choice: Choice = group(Choice)
    characters: tuple[str, ...] = option((), "who (default: the first)", "谁（默认：第一个）")
    questions: tuple[str, ...] = option(questions_of("zh"), "what is asked", "问什么")
    scene: Path | None = option(None, "script text to act in", "剧本文本，角色在其中行动")
    samples: int = option(3, "replies to each", "每个问题几个回答", least=1, most=MAX_SAMPLES)
    temperature: float = option(0.8, "0: the likeliest word", "0：总选最可能的字", least=0, most=5)
    top_p: float = option(0.9, "share of the likeliest", "只在最可能的里选", above=0, most=1)
    max_tokens: int = option(96, "longest reply", "最长的回答", least=1, most=MAX_NEW_TOKENS)
    seed: int | None = option(None, "the same gives the same replies", "同样的种子，同样的回答")
    background: bool = option(True, "use the knowledge base", "使用背景知识")
    output: Path | None = option(None, "write the Markdown here too", "同时把 Markdown 写到这里")

    @property
    def params(self) -> SamplingParams:
        """How tokens are drawn."""
        drawn = {"temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}
        return SamplingParams.checked(max_new_tokens=self.max_tokens, **drawn)


def run(settings: Settings, listener: Listener = silent) -> list[str]:
    """The Markdown blocks, one for each question (or scene) and character.

    Raises:
        WorldError: no such world, or nobody of that name.
        DialogueError: the scene cannot be read.
        ModelError, AdapterError, BackgroundError: what is missing or does not fit.
    """
    say = Teller("samples", listener)
    world = World.load(settings.world)
    names = [world.character(name).name for name in settings.characters or world.names[:1]]
    scene = read_scene(settings.scene) if settings.scene else None
    agent = load_agent(world, settings.choice, say.tell)
    blocks = []
    for block in _samples(agent, names, scene, settings):
        say.say("plain", text=block)
        blocks.append(block)
    if settings.output:
        files.write_text(settings.output, "\n".join(blocks))
    return blocks


def _samples(
    agent: CharacterAgent, names: list[str], scene: Session | None, settings: Settings
) -> Iterator[str]:
    more: dict[str, Any] = {"n": settings.samples, "params": settings.params}
    more["background"] = settings.background
    if scene is not None:
        for name in names:
            yield _block(f"{scene.text}\n\n角色：{name}", agent.act(name, scene, **more))
        return
    for question in settings.questions:
        for name in names:
            yield _block(f"问：{question}（{name}）", agent.ask(name, question, **more))


def _block(title: str, replies: Iterator[Reply]) -> str:
    candidates = enumerate(last_reply(replies).candidates, 1)
    rows = "\n".join(f"{number}. {text}" for number, text in candidates)
    return f"{title}\n\n{rows}\n"


def read_scene(path: Path) -> Session:
    """The scene of a file with script text.

    Raises:
        DialogueError: the file is missing, or a line in it cannot be read (its number is named).
        WorldError: it is no UTF-8.
    """
    if not path.is_file():
        raise DialogueError("samples.no-scene", path=path)
    added = Session().add(files.read_text(path))
    if added.problems:
        raise DialogueError("samples.bad-scene", path=path, problem=added.problems[0])
    return added.session
