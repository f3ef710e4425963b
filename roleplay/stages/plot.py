"""What a world's own files tell, as notes for its knowledge base.

plot = read_plot(Path("worlds/mine"))
summary_notes(plot)     # PlotNote(title="闻筝", text="闻筝修好了漏雨。…", chapter=1, people=("闻筝",), ...)
line_notes(plot)        # PlotNote(title="第一章　漏雨的早晨", text="闻筝：“说数，没得商量。”…", chapter=1, ...)

What a chapter's summary tells is known to those who act in the chapter, a character's aims to that
character, and a line to those who act in its chunk. Lines whose speaker or chapter nobody knows are
left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from kb.plot import PlotNote
from kb.snippets import cut_text
from roleplay.errors import WorldError
from roleplay.novel.chapters import FRONT_MATTER, WHOLE_BOOK, find_chapters
from roleplay.records import UNKNOWN, Line, Summary
from roleplay.world import World, WorldInfo, chapter_finder

SUMMARIES, SCRIPT, CHUNKS = "summaries.jsonl", "script.jsonl", "chunks.jsonl"
_LONGEST = 150
_AIMS = {"goal": "目标", "obstacle": "阻碍", "plan": "打算", "role": "作用"}


@dataclass(frozen=True)
class Plot:
    """What there is of a world's plot; ``chapter`` is where a line stands (None: unknown)."""

    world: World
    lines: Sequence[Line]
    chapter: Callable[[Line], int | None]
    titles: Mapping[int, str]

    def title(self, chapter: int) -> str:
        """The chapter's heading, or its number."""
        return self.titles.get(chapter) or f"第{chapter}章"

    def people(self, chapter: int) -> set[str]:
        """Who speaks, acts or thinks in a chapter."""
        return _people([line for line in self.lines if self.chapter(line) == chapter])


def read_plot(folder: Path) -> Plot:
    """Read the script and the chunks of a world, where they are; ``world.json`` is not needed.

    Raises:
        WorldError: a file is there and cannot be read.
    """
    described = (folder / "world.json").exists()
    world = World.load(folder) if described else World(folder, WorldInfo(title=folder.name))
    lines = world.read_script() if world.is_there(SCRIPT) else []
    chunks = world.read_chunks() if world.is_there(CHUNKS) else []
    chapters = find_chapters("".join(chunk.text for chunk in chunks))
    named = (chapter for chapter in chapters if chapter.title not in (FRONT_MATTER, WHOLE_BOOK))
    titles = {chapter.index: chapter.title for chapter in named}
    return Plot(world, lines, chapter_finder(chunks), titles)


def summary_notes(plot: Plot) -> list[PlotNote]:
    """One note for every row of ``summaries.jsonl``.

    Raises:
        WorldError: the file is missing, or a row is not a summary.
    """
    if not plot.world.is_there(SUMMARIES):
        raise WorldError("plot.no-summaries", path=plot.world.path / SUMMARIES)
    rows = plot.world.read(SUMMARIES, Summary)
    cast = {(row.chapter, row.character) for row in rows if row.character}
    return [_aims(row, plot) if row.character else _events(row, plot, cast) for row in rows]


def line_notes(plot: Plot) -> list[PlotNote]:
    """Notes of up to 150 characters of consecutive sayings of one chunk.

    Raises:
        WorldError: the world has no script or no chunks.
    """
    for name in (SCRIPT, CHUNKS):
        plot.world.file(name)
    chunks = groupby(plot.lines, key=lambda line: line.src_id)
    return [note for _, lines in chunks for note in _scene(list(lines), plot)]


def _aims(row: Summary, plot: Plot) -> PlotNote:
    """What a character does and is after: known to the character."""
    name = str(row.character)
    aims = [
        f"{name}的{label}: {getattr(row, key)}" for key, label in _AIMS.items() if getattr(row, key)
    ]
    text = "\n".join([row.summary, *aims])
    return PlotNote(
        text, name, row.chapter, people=(name,), heading=plot.title(row.chapter), source=SUMMARIES
    )


def _events(row: Summary, plot: Plot, cast: set[tuple[int, str]]) -> PlotNote:
    """What happens in a chapter: known to those who act in it, or have aims in it, or are named."""
    named = {person.name for person in plot.world.info.characters if person.name in row.summary}
    people = (
        plot.people(row.chapter)
        | {name for chapter, name in cast if chapter == row.chapter}
        | named
    )
    return PlotNote(
        row.summary,
        plot.title(row.chapter),
        row.chapter,
        people=tuple(sorted(people)),
        source=SUMMARIES,
    )


def _scene(lines: Sequence[Line], plot: Plot) -> Iterator[PlotNote]:
    chapter = plot.chapter(lines[0])
    if chapter is None:
        return
    people = tuple(sorted(_people(lines)))
    for text in _packed(lines):
        yield PlotNote(text, plot.title(chapter), chapter, people=people, source=SCRIPT)


def _packed(lines: Sequence[Line]) -> Iterator[str]:
    """Sayings with their speakers, at most 150 characters; a longer one repeats its speaker."""
    packed = ""
    said = [line for line in lines if line.kind == "say" and line.char != UNKNOWN]
    for text in (f"{line.char}：“{part}”" for line in said for part in cut_text(line.text)):
        if packed and len(packed) + len(text) > _LONGEST:
            yield packed
            packed = ""
        packed += text
    if packed:
        yield packed


def _people(lines: Sequence[Line]) -> set[str]:
    return {line.char for line in lines if line.char and line.char != UNKNOWN}
