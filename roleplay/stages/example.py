"""Build the example world's novel and gold script from its marked source.

    run(Settings(world=Path("worlds/chuiyan")), show)

``source/NN.txt`` is the novel as it was written, with marks that say who speaks and how it is
cued::

    闻筝哼了一声：“小时候的老话叫瞎话，没得商量。”{闻筝|before|白眼}
    铜婆[铜婆|挠了挠半斤的下巴，一动也没动]。‘又漏了。’{闻筝|thought}人们管它叫“雨舌”{-}。

Written from it: ``novel.txt`` (the marks taken out), ``script.jsonl`` (every line with its true
speaker, cue and offsets) and ``chunks.jsonl``. Nothing else of the world is touched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roleplay import files
from roleplay.errors import ScriptError
from roleplay.novel.chapters import find_chapters
from roleplay.novel.chunking import chunk_chapters
from roleplay.options import Options, option
from roleplay.records import Chunk, Kind, Line
from roleplay.stages.progress import Listener, Teller, silent

_TOKEN = re.compile(r"([“‘])((?:(?!\1).)*?)([”’])\{([^{}]*)\}|\[([^\[\]|]+)\|([^\[\]]+)\]")
_SENTENCE = re.compile(r"[^。！？]*[。！？…]*")
_CUE_VERB = re.compile(
    "说|道|问|喊|答|叫|嚷|念|唱|想|骂|嘟囔|吆喝|开口|接话|补充|低声|小声|嘀咕|喃喃|哼|叹|应|回|插嘴|宣布|纠正|提醒|报"
)
_MAX_CUE = 16
"""So short a clause with a speech verb beside a quote is the cue, not narration."""


@dataclass(frozen=True)
class Settings(Options):
    """The options of the stage."""

    world: Path = option(Path("worlds/chuiyan"), "folder of the example world", "示例世界的文件夹")


def run(settings: Settings, listener: Listener = silent) -> list[Line]:
    """The gold script's lines.

    Raises:
        ScriptError: the world has no source.
    """
    say, world = Teller("example", listener), settings.world
    sources = sorted((world / "source").glob("*.txt"))
    if not sources:
        raise ScriptError("example.no-source", folder=world / "source")
    novel, lines = "", []
    for path in sources:
        for paragraph in path.read_text(encoding="utf-8").strip().split("\n"):
            plain, found = read_paragraph(paragraph, start=len(novel))
            lines += found
            novel += plain + "\n"
        novel += "\n"
    chunks = chunk_chapters(novel, find_chapters(novel))
    lines = list(_with_chunks(lines, chunks))
    files.write_text(world / "novel.txt", novel)
    files.write_jsonl(world / "chunks.jsonl", (chunk.model_dump() for chunk in chunks))
    files.write_jsonl(world / "script.jsonl", (line.to_json() for line in lines))
    spoken = sum(line.kind in ("say", "think") for line in lines)
    size = {"characters": len("".join(novel.split())), "spoken": spoken, "chunks": len(chunks)}
    say.say("example.built", chapters=len(sources), **size)
    return lines


def read_paragraph(paragraph: str, *, start: int) -> tuple[str, list[Line]]:
    """The plain text of a marked paragraph, and its script lines; offsets begin at ``start``."""
    if paragraph.startswith("第") and "　" in paragraph:
        return paragraph, []
    plain, lines, rest = "", [], 0
    loose: list[tuple[int, str]] = []
    for match in _TOKEN.finditer(paragraph):
        plain += paragraph[rest : match.start()]
        rest = match.end()
        if match[4] == "-":
            plain += match[1] + match[2] + match[3]
            continue
        line, piece = _marked(match, start + len(plain))
        lines.append(line)
        loose.append((len(plain), piece))
        plain += piece
    plain += paragraph[rest:]
    narration = [line for gap in _gaps(plain, loose) for line in _narration(plain, *gap, start)]
    return plain, sorted([*lines, *narration], key=lambda line: line.span or (0, 0))


def _marked(match: re.Match[str], at: int) -> tuple[Line, str]:
    """The line of one mark, and the text that it leaves in the novel."""
    if text := match[6]:
        span = (at, at + len(text))
        return Line(kind="act", char=match[5], text=text, span=span, cue="action"), text
    speaker, cue, expression = [*match[4].split("|"), None][:3]
    kind: Kind = "think" if cue == "thought" else "say"
    span, more = (at + 1, at + 1 + len(match[2])), {"cue": cue, "expression": expression}
    line = Line(kind=kind, char=speaker, text=match[2], span=span, **more)
    return line, match[1] + match[2] + match[3]


def _gaps(plain: str, taken: list[tuple[int, str]]) -> Iterator[tuple[int, int, bool, bool]]:
    """The stretches between marked pieces: (start, end, after a quote, before a quote)."""
    edge, before = 0, False
    for at, piece in taken:
        quoted = piece[0] in "“‘"
        yield edge, at, before, quoted
        edge, before = at + len(piece), quoted
    yield edge, len(plain), before, False


def _narration(
    plain: str, begin: int, end: int, after_quote: bool, before_quote: bool, start: int
) -> list[Line]:
    """Info lines of a gap, without cue clauses beside its quotes and without left-over subjects."""
    found = _SENTENCE.finditer(plain, begin, end)
    sentences = [(match.start(), match[0]) for match in found if match[0].strip()]
    if sentences and before_quote and _is_cue(sentences[-1][1], "：:，"):
        sentences.pop()
    if sentences and after_quote and _is_cue(sentences[0][1], "。，：！？"):
        sentences.pop(0)
    if sentences and len(sentences[-1][1]) <= 4:
        sentences.pop()  # "闻筝" before an action: the action's line names her
    if not sentences:
        return []
    first, last = sentences[0][0], sentences[-1][0] + len(sentences[-1][1])
    text = plain[first:last].strip("，、。：　 \n")
    if len(text) < 7:
        return []
    first = plain.index(text, first)
    if plain[first + len(text) : first + len(text) + 1] in ("。", "！", "？"):
        text += plain[first + len(text)]
    return [Line(kind="info", text=text, span=(start + first, start + first + len(text)))]


def _is_cue(sentence: str, marks: str) -> bool:
    text = sentence.strip()
    return len(text) <= _MAX_CUE and bool(_CUE_VERB.search(text)) and text[-1:] in marks


def _with_chunks(lines: list[Line], chunks: list[Chunk]) -> Iterator[Line]:
    """Each line with the number of the chunk in which it begins."""
    places = iter(chunks)
    chunk = next(places)
    for line in lines:
        while line.span and line.span[0] >= chunk.span[1]:
            chunk = next(places)
        yield line.model_copy(update={"src_id": chunk.id})
