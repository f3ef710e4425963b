"""Tables of wikitext and of HTML to lines: every row says what its columns mean.

    >>> table_lines([[Cell("雨", header=True), Cell("价格", header=True)], [Cell("晨醒"), Cell("三枚")]])
    ['雨: 晨醒，价格: 三枚']
    >>> table_lines([[Cell("生日", header=True), Cell("三月初三")]])
    ['生日: 三月初三']

Cells that span columns stand once; cells that span rows are repeated in each of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MOST_ROWS_SPANNED = 200


@dataclass(frozen=True)
class Cell:
    """One cell; `rows` is how many rows it reaches down."""

    text: str
    header: bool = False
    rows: int = 1


def table_lines(rows: Iterable[Sequence[Cell]]) -> list[str]:
    """One line for every row with a text: 'header: cell，header: cell'."""
    headers: list[str] = []
    lines = []
    for cells in _spread(rows):
        if len(cells) > 1 and all(cell.header for cell in cells):
            headers = [cell.text for cell in cells]
        elif any(cell.text for cell in cells):
            lines.append(_row_line(cells, headers))
    return lines


def rows_spanned(value: str) -> int:
    """The number in a rowspan attribute; 1 where it is none."""
    value = value.strip()
    return min(int(value), _MOST_ROWS_SPANNED) if value.isdecimal() and len(value) < 6 else 1


def _spread(rows: Iterable[Sequence[Cell]]) -> Iterable[list[Cell]]:
    """The rows with the cells that reach down into them in their columns."""
    carried: dict[int, tuple[int, Cell]] = {}
    for row in rows:
        cells: list[Cell] = []
        for cell in row:
            _fill_from_above(cells, carried)
            if cell.rows > 1:
                carried[len(cells)] = (cell.rows - 1, cell)
            cells.append(cell)
        _fill_from_above(cells, carried)
        yield cells


def _fill_from_above(cells: list[Cell], carried: dict[int, tuple[int, Cell]]) -> None:
    """Appends what reaches down into the next columns; `carried` is column -> (rows left, cell)."""
    while len(cells) in carried:
        left, cell = carried.pop(len(cells))
        if left > 1:
            carried[len(cells)] = (left - 1, cell)
        cells.append(cell)


def _row_line(cells: Sequence[Cell], headers: Sequence[str]) -> str:
    """'名: 甲，字: 乙' under headers; without them '甲: 乙' after a header cell, else '甲、乙'."""
    texts = [cell.text for cell in cells]
    if headers and len(texts) == len(headers):
        return "，".join(f"{head}: {text}" if head else text for head, text in zip(headers, texts, strict=True) if text)
    if cells[0].header and cells[0].text and any(texts[1:]):
        return f"{texts[0]}: " + "、".join(filter(None, texts[1:]))
    return "、".join(filter(None, texts))
