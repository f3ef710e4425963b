"""Tables of wikitext and of HTML to lines: every row says what its columns mean.

    >>> head = [Cell("雨", header=True), Cell("价格", header=True)]
    >>> table_lines([head, [Cell("晨醒"), Cell("三枚")]])
    ['雨: 晨醒，价格: 三枚']
    >>> table_lines([[Cell("生日", header=True), Cell("三月初三")]])
    ['生日: 三月初三']

Cells that span columns stand once; cells that span rows are repeated in each of them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

# A page that asks for a million rows is broken or hostile; no real table spans this many.
_MOST_ROWS_SPANNED = 200


class Cell(NamedTuple):
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
    carried: dict[int, tuple[int, Cell]] = {}  # column -> (rows left, cell)
    for row in rows:
        cells: list[Cell] = []
        # None: what reaches down behind the last cell of a row counts too.
        for cell in (*row, None):
            while len(cells) in carried:
                left, above = carried.pop(len(cells))
                if left > 1:
                    carried[len(cells)] = (left - 1, above)
                cells.append(above)
            if cell is not None:
                if cell.rows > 1:
                    carried[len(cells)] = (cell.rows - 1, cell)
                cells.append(cell)
        yield cells


def _row_line(cells: Sequence[Cell], headers: Sequence[str]) -> str:
    """'名: 甲，字: 乙' under headers; without them '甲: 乙' after a header cell, else '甲、乙'."""
    texts = [cell.text for cell in cells]
    if len(texts) == len(headers):
        pairs = zip(headers, texts, strict=True)
        return "，".join(f"{head}: {text}" if head else text for head, text in pairs if text)
    if cells[0].header and texts[0] and any(texts[1:]):
        return f"{texts[0]}: " + "、".join(filter(None, texts[1:]))
    return "、".join(filter(None, texts))
