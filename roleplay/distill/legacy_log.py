r"""The seed's later form: a log of whole chapters, and the chapters with their summaries.

    cleaned = clean_log(Path("merged_log.txt").read_text("utf-8"))
    cleaned.summaries[1]     # Summary(chapter=0, character="闻筝", role="主角，修好漏雨", ...)
    add_chapters(cleaned, read_old(Path("all_chapters.json")))

A log, with a space between the role, the goal, the obstacle and the plan of each character::

    ==========第一章 漏雨的早晨==========
    闻筝修好了漏雨，铜婆没有来。
    闻筝 主角，修好漏雨 在天黑前修好 没有瓦 爬上屋顶
    【雨停了】
    闻筝：没得商量。\emoji 微哀
    闻筝：\me 转身

Chapters count from 0, as ``chapter_id`` does in all_chapters.json. A row of a script that names
nobody goes on from the row before.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from roleplay.distill.legacy_data import Cleaned, Expressions, counted, script_lines
from roleplay.errors import FormError
from roleplay.records import Line, Summary
from roleplay.script import parse_line

# The log does not say which chunk a line is from; the seed's chunks gave about so many lines.
_CHUNK_LINES = 15
_HEADING = re.compile(r"={3,}\s*(.*?)\s*={3,}\s*")
_SPOKEN = re.compile(r"[^：:。，！？\s【】]{1,20}[：:]")
_EMOJI = re.compile(r"\\emoji[ 　]*([^\\\s）)]*)")
_AIMS = ("role", "goal", "obstacle", "plan")
_NOTHING = ("", "无", "未知", "none", "null")

_Row = tuple[int, str]
"""The number of a line from 1, and its text."""


def clean_log(text: str, expressions: Expressions | None = None) -> Cleaned:
    """The script, the chapters and the summaries of a log."""
    cleaned, chunk = Cleaned(), 0
    for chapter, (title, told, rows) in enumerate(_chapters(text)):
        cleaned.titles[chapter] = title
        for number, row in told:
            name, *aims = row.split(" ", 4) if number != told[0][0] else (None, row)
            _add(cleaned, chapter, name, dict(zip(_AIMS, aims, strict=False)))
        for start in range(0, len(rows), _CHUNK_LINES):
            cleaned.chapters[chunk] = chapter
            for place in rows[start : start + _CHUNK_LINES]:
                cleaned.lines += _lines(place, chunk, cleaned, expressions or {})
            chunk += 1
    return counted(cleaned)


def add_chapters(cleaned: Cleaned, content: Any) -> None:
    """Add the chapters and summaries of all_chapters.json: a list of them, or an object by id.

    Where a log named its chapters they are found by their titles, and what the log tells is kept.
    """
    numbers = {title: chapter for chapter, title in cleaned.titles.items() if title}
    told = {row.chapter for row in cleaned.summaries}
    rows = [*content.values()] if isinstance(content, dict) else content
    for place, row in enumerate(rows if isinstance(rows, list) else [rows]):
        if not isinstance(row, Mapping):
            cleaned.problems.append(f"chapter {place}: {str(row)[:60]!r} is no chapter")
            continue
        number, title = row.get("chapter_id"), str(row.get("title") or "")
        number = number if isinstance(number, int) and number >= 0 else place
        if numbers and title not in numbers:
            cleaned.counts["chapter that the log lacks"] += 1
            continue
        chapter = numbers.get(title, number)
        if not numbers:
            cleaned.titles[chapter] = title
            chunks = row.get("chunk_ids")
            listed = chunks if isinstance(chunks, list) else []
            cleaned.chapters |= {id_: chapter for id_ in listed if isinstance(id_, int)}
        if chapter not in told:
            _add(cleaned, chapter, None, {"role": row.get("summary")})
            people = row.get("characters")
            for name, aims in people.items() if isinstance(people, Mapping) else ():
                _add(cleaned, chapter, name, aims if isinstance(aims, Mapping) else {"role": aims})


def _chapters(text: str) -> Iterator[tuple[str, list[_Row], list[_Row]]]:
    """Title, rows before the script and rows of the script of each chapter."""
    title, told, rows = None, list[_Row](), list[_Row]()
    for number, line in enumerate(text.splitlines(), 1):
        if heading := _HEADING.fullmatch(line):
            if title is not None or rows:
                yield title or "", told, rows
            title, told, rows = heading[1], [], []
            # The name of the place for a title, left as it was.
            title = "" if title == "chapter" else title
        elif line.startswith(("【", "[")) or _SPOKEN.match(line):
            rows.append((number, line))
        elif line.strip() and rows:
            rows[-1] = (rows[-1][0], rows[-1][1] + line)
        elif line.strip():
            told.append((number, line.strip()))
    if title is not None or rows:
        yield title or "", told, rows


def _lines(row: _Row, chunk: int, cleaned: Cleaned, expressions: Expressions) -> Iterator[Line]:
    """The lines of a row; its expression is that of the last of them."""
    number, text = row
    cleaned.given += 1
    faces = _EMOJI.findall(text)
    try:
        parsed = parse_line(_EMOJI.sub("", text))
    except FormError as error:
        cleaned.problems.append(f"line {number}: {error.text('en')}: {text[:60]}")
        return
    cleaned.kept += 1
    for line in parsed:
        item = {line.kind: line.text, "char": line.char}
        item |= {"expression": faces[-1]} if faces and line is parsed[-1] else {}
        yield from script_lines(item, chunk, cleaned, expressions)


def _add(cleaned: Cleaned, chapter: int, name: str | None, told: Mapping[str, Any]) -> None:
    """Add a summary row: of the chapter (``name`` None), or of what somebody is after in it."""
    known = {aim: text for aim in _AIMS if (text := _known(told.get(aim)))}
    if known and name is None:
        cleaned.summaries.append(Summary(chapter=chapter, summary=known["role"]))
    elif known and name and (who := name.strip()):
        summary = next(iter(known.values()))
        cleaned.summaries.append(Summary(chapter=chapter, character=who, summary=summary, **known))


def _known(value: Any) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return None if text.lower() in _NOTHING else text
