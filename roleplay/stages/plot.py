"""What a world's own files tell, as notes for its knowledge base.

plot = read_plot(Path("worlds/mine"))
summary_notes(plot)     # PlotNote(title="闻筝", text="闻筝修好了漏雨。…", chapter=1, people=("闻筝",), ...)
script_notes(plot)      # PlotNote(title="闻筝", text="闻筝和陆迟第一次同场是在第二章　…", chapter=2, ...)
line_notes(plot)        # PlotNote(title="第一章　漏雨的早晨", text="闻筝：“说数，没得商量。”…", chapter=1, ...)

What a chapter's summary tells is known to those who act in the chapter, a character's aims to that
character, and a line to those who act in its chunk. Lines whose speaker or chapter nobody knows are
left out. Where no model wrote summaries, `script_notes` tells by rules who was there with whom, and
everybody's first and last words.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from kb.snippets import PlotNote, cut_text
from roleplay.errors import NovelError, WorldError
from roleplay.novel.chapters import FRONT_MATTER, WHOLE_BOOK, find_chapters, number_of
from roleplay.novel.reading import read_novel
from roleplay.records import UNKNOWN, Line, Summary
from roleplay.world import World, WorldInfo, chapter_finder

SUMMARIES, SCRIPT, CHUNKS = "summaries.jsonl", "script.jsonl", "chunks.jsonl"
_LONGEST = 150
# Who speaks less often in the whole book is nobody whose first and last words are asked for.
_FEWEST_SAYINGS, _MOST_PEOPLE = 3, 12
_LONGEST_SAYING = 60
# '走进滴答铺', '在檐下巷': named often enough after such a word, it is a place and not a turn of phrase.
_PLACE = re.compile(
    r"(?:来到|走进|回到|赶到|到了|进了|走到|跑到|冲进|站在|坐在|住在|离开|在)"
    r"([^\W\da-z的了是他她它我你这那一着们里上下在]{1,5}?(?:铺|街|巷|市|馆|楼|塔|城|镇|村|山|庙|寺|店|院|宫|殿|府|桥|港|坊|校|室|站|岛|"
    r"谷|园|堂))"
)
_OFTEN_NAMED = 3
_TOLD = {
    "zh": {
        "there": "《{chapter}》里出场的有{people}。",
        "places": "地点有{places}。",
        "talked": "说过话的有{pairs}。",
        "and": "{0}和{1}",
        "join": "、",
        "words": "{name}在《{chapter}》里说的第一句话是“{first}”，最后一句话是“{last}”。",
        "met": "{0}和{1}第一次见面说话是在《{chapter}》，{0}说：“{first}”{1}说：“{last}”",
    },
    "en": {
        "there": "In {chapter}: {people}.",
        "places": " Places: {places}.",
        "talked": " They talked: {pairs}.",
        "and": "{0} and {1}",
        "join": ", ",
        "words": 'In {chapter} {name} first says: "{first}", and last: "{last}"',
        "met": '{0} and {1} first talk in {chapter}. {0}: "{first}" {1}: "{last}"',
    },
    "ja": {
        "there": "{chapter}に登場するのは{people}。",
        "places": "場所は{places}。",
        "talked": "話したのは{pairs}。",
        "and": "{0}と{1}",
        "join": "、",
        "words": "{chapter}での{name}の最初の言葉は「{first}」、最後の言葉は「{last}」。",
        "met": "{0}と{1}が初めて話すのは{chapter}。{0}「{first}」{1}「{last}」",
    },
}
"""How the notes of a script are worded, in the world's language."""
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
    text = "".join(chunk.text for chunk in chunks)
    chapters = find_chapters(text, _contents(world, text))
    titles = {chapter.index: chapter.title for chapter in chapters if _says_more(chapter.title)}
    return Plot(world, lines, chapter_finder(chunks), titles)


def _says_more(title: str) -> bool:
    """Whether a title is the book's own, and more than a number (12, 三, or 3/9 of a cut book)."""
    return title not in (FRONT_MATTER, WHOLE_BOOK) and number_of(title.replace("/", "")) is None


def _contents(world: World, text: str) -> Sequence[tuple[int, str]]:
    """The titles that the novel's file names, where the chunks were made from it."""
    try:
        novel = read_novel(world.novel())
    except (WorldError, NovelError):
        return ()
    return novel.titles if novel.text == text else ()


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


def script_notes(plot: Plot) -> list[PlotNote]:
    """Notes by rules: of each chapter who is there, where, and who talks with whom; everybody's
    first and last words in it; and where two people talk for the first time.

    Raises:
        WorldError: the world has no script or no chunks.
    """
    for name in (SCRIPT, CHUNKS):
        plot.world.file(name)
    told = _TOLD.get(plot.world.info.language, _TOLD["zh"])
    sayings = Counter(line.char for line in plot.lines if _is_said(line))
    main = [
        str(name) for name, count in sayings.most_common(_MOST_PEOPLE) if count >= _FEWEST_SAYINGS
    ]
    placed = [(chapter, line) for line in plot.lines if (chapter := plot.chapter(line)) is not None]
    book = "\n".join(line.text for _, line in placed)
    places = [
        place for place in dict.fromkeys(_PLACE.findall(book)) if book.count(place) >= _OFTEN_NAMED
    ]
    notes: list[PlotNote] = []
    met: set[frozenset[str]] = set()
    for chapter, group in groupby(placed, key=lambda pair: pair[0]):
        lines = [line for _, line in group]
        notes.append(_chapter_note(chapter, lines, plot, told, places))
        scenes = [list(scene) for _, scene in groupby(lines, key=lambda line: line.src_id)]
        notes += (note for name in main for note in _words(name, chapter, scenes, plot, told))
        for scene in scenes:
            said = [line for line in scene if _is_said(line) and line.char in main]
            for pair in pairwise(said):
                names = frozenset(str(line.char) for line in pair)
                if len(names) == 2 and names not in met:
                    notes.append(_meeting(*pair, chapter, plot, told))
                    met.add(names)
    return notes


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
    said = list(filter(_is_said, lines))
    for text in (f"{line.char}：“{part}”" for line in said for part in cut_text(line.text)):
        if packed and len(packed) + len(text) > _LONGEST:
            yield packed
            packed = ""
        packed += text
    if packed:
        yield packed


def _is_said(line: Line) -> bool:
    return line.kind == "say" and line.char != UNKNOWN


def _chapter_note(
    chapter: int, lines: Sequence[Line], plot: Plot, told: Mapping[str, str], places: Sequence[str]
) -> PlotNote:
    """Who is there, the places that are named, and who answers whom."""
    people = [
        name
        for name, _ in Counter(line.char for line in lines).most_common()
        if name in _people(lines)
    ]
    narrated = "\n".join(line.text for line in lines if line.kind == "info")
    here = [place for place in places if place in narrated]
    said = [str(line.char) for line in lines if _is_said(line)]
    turns = Counter(tuple(sorted(pair)) for pair in pairwise(said) if len(set(pair)) == 2)
    pairs = [
        told["and"].format(*pair) for pair, count in turns.most_common(_MOST_PEOPLE) if count > 1
    ]
    title, join = plot.title(chapter), told["join"]
    text = told["there"].format(chapter=title, people=join.join(map(str, people)))
    text += told["places"].format(places=join.join(here)) if here else ""
    text += told["talked"].format(pairs=join.join(pairs)) if pairs else ""
    return PlotNote(text, title, chapter, people=tuple(sorted(_people(lines))), source=SCRIPT)


def _words(
    name: str, chapter: int, scenes: Sequence[Sequence[Line]], plot: Plot, told: Mapping[str, str]
) -> Iterator[PlotNote]:
    """Somebody's first and last words in a chapter: known to those who hear the last of them."""
    heard = [
        (line, scene) for scene in scenes for line in scene if _is_said(line) and line.char == name
    ]
    if heard:
        (first, there), (last, here) = heard[0], heard[-1]
        title = plot.title(chapter)
        text = told["words"].format(
            name=name, chapter=title, first=_short(first), last=_short(last)
        )
        people = tuple(sorted(_people(there) & _people(here)))
        yield PlotNote(text, name, chapter, people=people, heading=title, source=SCRIPT)


def _meeting(
    first: Line, answer: Line, chapter: int, plot: Plot, told: Mapping[str, str]
) -> PlotNote:
    """Where two people talk first, and what they say."""
    names, title = [str(first.char), str(answer.char)], plot.title(chapter)
    text = told["met"].format(*names, chapter=title, first=_short(first), last=_short(answer))
    people = tuple(sorted(names))
    return PlotNote(text, names[0], chapter, people=people, heading=title, source=SCRIPT)


def _short(line: Line) -> str:
    text = line.text.strip('“”「」『』"')
    return text if len(text) <= _LONGEST_SAYING else text[:_LONGEST_SAYING] + "……"


def _people(lines: Sequence[Line]) -> set[str]:
    return {line.char for line in lines if line.char and line.char != UNKNOWN}
