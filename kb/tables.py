"""Tables of wikitext and of HTML to lines: every row says what its columns mean.

    >>> head = [Cell("雨", header=True), Cell("价格", header=True)]
    >>> table_lines([head, [Cell("晨醒"), Cell("三枚")]])
    ['雨: 晨醒，价格: 三枚']
    >>> table_lines([[Cell("生日", header=True), Cell("三月初三")]])
    ['生日: 三月初三']

Empty cells keep their place. Cells that span columns stand once; cells that span rows are repeated
in each of them, as long as that does not make much more of a table than its author wrote.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

# Real tables span fewer; a page that asks for a million rows or columns is broken or hostile.
_MOST_SPANNED, _MOST_COLUMNS = 100, 64
# Characters that may be repeated in the rows below, beside four times what the table holds.
_REPEATED, _REPEATED_SHARE = 2_000, 4


class Cell(NamedTuple):
    """One cell; `rows` and `columns` are how far it reaches, `bold` that all of it is bold."""

    text: str
    header: bool = False
    rows: int = 1
    columns: int = 1
    bold: bool = False


# Column -> the cell that begins there.
_Row = dict[int, Cell]


def table_lines(rows: Iterable[Sequence[Cell]]) -> list[str]:
    """One line for every row with a text: 'header: cell，header: cell'."""
    headers: dict[int, str] = {}
    lines: list[str] = []
    under_headers = False
    for number, row in enumerate(_placed(rows)):
        heads = [cell.header or (number == 0 and cell.bold) for cell in row.values()]
        if is_head := len(row) > 1 and all(heads):
            # A second row of headers says more of the columns that the first one spans: 尺寸·长.
            above = headers if under_headers else {}
            own = {at + n: cell.text for at, cell in row.items() for n in range(cell.columns)}
            headers = {at: _joined("·", (above.get(at), own.get(at))) for at in above | own}
        elif line := _under(row, headers) if headers else _labelled([*row.values()]):
            lines.append(line)
        under_headers = is_head
    # Headers with nothing under them are all that the table says.
    return lines or [_joined("、", headers.values())]


def spanned(value: str | None) -> int:
    """The number in a rowspan or colspan attribute; 1 where it is none."""
    value = (value or "").strip(" \"'")
    return max(min(int(value), _MOST_SPANNED), 1) if value.isdecimal() and len(value) < 6 else 1


def _placed(rows: Iterable[Sequence[Cell]]) -> Iterator[_Row]:
    """The rows with the cells that reach down into them, each in its column."""
    reaching: dict[int, tuple[int, Cell]] = {}  # column -> (rows left, cell)
    written = repeated = 0
    for cells in rows:
        row: _Row = {}
        column = 0
        # None: what reaches down behind the last cell of a row counts too.
        for cell in (*cells, None):
            while column in reaching:
                left, above = reaching.pop(column)
                repeated += len(above.text)
                if left > 1 and repeated <= _REPEATED + _REPEATED_SHARE * written:
                    reaching[column] = (left - 1, above)
                row[column] = above
                column += above.columns
            if cell is not None:
                written += len(cell.text)
                if cell.rows > 1 and column < _MOST_COLUMNS:
                    reaching[column] = (cell.rows - 1, cell)
                row[column] = cell
                column += cell.columns
        if cells:
            yield row


def _under(row: _Row, headers: dict[int, str]) -> str:
    """'名: 甲，字: 乙' under headers; one cell under all of them is a title between rows."""
    parts = []
    for column, cell in row.items():
        head = _joined("/", (headers.get(column + n) for n in range(cell.columns)))
        named = head and len(row) > 1 and head != cell.text
        parts += [f"{head}: {cell.text}" if named else cell.text] if cell.text else []
    return "，".join(parts)


def _labelled(cells: Sequence[Cell]) -> str:
    """'甲: 乙' for what follows header cells or a bold first one, '甲、乙' for the rest.

    A label whose values are empty goes with them: it is a field that nobody filled in.
    """
    parts: list[str] = [cells[0].text] if len(cells) == 1 else []
    label, texts, followed = "", list[str](), True
    for number, cell in enumerate((*cells, Cell("", header=True)) if len(cells) > 1 else ()):
        if not (cell.header or (cell.bold and number == 0 and not cells[-1].bold)):
            followed = True
            texts.append(cell.text)
        elif followed:
            value = "、".join(filter(None, texts))
            parts += [_joined(": ", (label, value))] if value else []
            label, texts, followed = cell.text, [], False
        else:
            label = _joined("·", (label, cell.text))
    return "，".join(parts)


def _joined(mark: str, texts: Iterable[str | None]) -> str:
    """The texts that are any, each once."""
    return mark.join(filter(None, dict.fromkeys(texts)))
