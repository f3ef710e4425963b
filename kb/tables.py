"""Tables of wikitext and of HTML to lines: every row says what its columns mean.

    >>> head = [Cell("雨", header=True), Cell("价格", header=True)]
    >>> table_lines([head, [Cell("晨醒"), Cell("三枚")]])
    ['雨: 晨醒，价格: 三枚']
    >>> table_lines([[Cell("生日", header=True), Cell("三月初三"), Cell("身高", header=True), Cell("一米六")]])
    ['生日: 三月初三，身高: 一米六']

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
        cells = row.values()
        is_head = all(cell.header or (number == 0 and cell.bold) for cell in cells)
        if len(row) > 1 and is_head:
            # A second row of headers says more of the columns that the first one spans.
            headers = _below(headers, row) if under_headers else _by_column(row)
        elif line := _under(row, headers) if headers else _labelled(list(cells)):
            lines.append(line)
        under_headers = len(row) > 1 and is_head
    # Headers with nothing under them are all that the table says.
    return lines or ["、".join(filter(None, dict.fromkeys(headers.values())))]


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


def _by_column(row: _Row) -> dict[int, str]:
    return {
        at: cell.text for first, cell in row.items() for at in range(first, first + cell.columns)
    }


def _below(headers: dict[int, str], row: _Row) -> dict[int, str]:
    """尺寸 over 长 and 宽 gives 尺寸·长 and 尺寸·宽; what reaches down stands once."""
    lower = _by_column(row)
    pairs = {at: (headers.get(at, ""), lower.get(at, "")) for at in headers | lower}
    return {at: "·".join(filter(None, dict.fromkeys(pair))) for at, pair in pairs.items()}


def _under(row: _Row, headers: dict[int, str]) -> str:
    """'名: 甲，字: 乙' under headers."""
    parts = []
    for column, cell in row.items():
        spanned_heads = (headers.get(at, "") for at in range(column, column + cell.columns))
        head = "/".join(filter(None, dict.fromkeys(spanned_heads)))
        if cell.text:
            # A row of one cell under all headers is a title between rows.
            named = head and len(row) > 1 and head != cell.text
            parts.append(f"{head}: {cell.text}" if named else cell.text)
    return "，".join(parts)


def _labelled(cells: Sequence[Cell]) -> str:
    """'甲: 乙' for what follows header cells or a bold first one, '甲、乙' for the rest.

    A label whose values are empty goes with them: it is a field that nobody filled in.
    """
    if len(cells) == 1:
        return cells[0].text
    parts: list[str] = []
    label, texts = "", list[str]()
    followed = True
    for number, cell in enumerate((*cells, Cell("", header=True))):
        if not (cell.header or (cell.bold and number == 0 and not cells[-1].bold)):
            followed = True
            texts += filter(None, [cell.text])
        elif followed:
            parts += [": ".join(filter(None, (label, "、".join(texts))))] if texts else []
            label, texts, followed = cell.text, [], False
        else:
            label = "·".join(filter(None, (label, cell.text)))
    return "，".join(parts)
