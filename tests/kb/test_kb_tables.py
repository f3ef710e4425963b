"""Tables: every value under its label, whatever is empty or spans."""

import pytest

from kb.webpage import Cell, spanned, table_lines


def row(*cells: str | Cell) -> list[Cell]:
    """'!名' is a header cell, '*名' a bold one."""
    return [
        cell
        if isinstance(cell, Cell)
        else Cell(cell.lstrip("!*"), header=cell[:1] == "!", bold=cell[:1] == "*")
        for cell in cells
    ]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([row("!代号", "!座位", "!序列"), row("愚者", "", "占卜家")], ["代号: 愚者，序列: 占卜家"]),
        ([row("!生日", "三月"), row("!身高", "")], ["生日: 三月"]),
        ([row("!生日", "三月", "!身高", "一米")], ["生日: 三月，身高: 一米"]),
        ([row("*名称", "红馆"), row("*建于", "一八九二")], ["名称: 红馆", "建于: 一八九二"]),
        ([row("*名称", "*建于"), row("红馆", "一八九二")], ["名称: 红馆，建于: 一八九二"]),
        ([row("甲", "乙")], ["甲、乙"]),
        ([row("!名", "!字")], ["名、字"]),
        (
            [row("!名", "!字"), row(Cell("第一组", columns=2)), row("甲", "乙")],
            ["第一组", "名: 甲，字: 乙"],
        ),
    ],
)
def test_rows(rows: list[list[Cell]], lines: list[str]) -> None:
    assert table_lines(rows) == lines


def test_what_spans_keeps_its_columns() -> None:
    head = row(Cell("名", header=True, rows=2), Cell("尺寸", header=True, columns=2))
    rows = [
        head,
        row("!长", "!宽"),
        row("甲", "1", "2"),
        row(Cell("乙", rows=2), "3", "4"),
        row("5", "6"),
    ]
    assert table_lines(rows) == [
        "名: 甲，尺寸·长: 1，尺寸·宽: 2",
        "名: 乙，尺寸·长: 3，尺寸·宽: 4",
        "名: 乙，尺寸·长: 5，尺寸·宽: 6",
    ]


@pytest.mark.parametrize(
    ("value", "number"),
    [("2", 2), ('"3"', 3), ("", 1), (None, 1), ("-1", 1), ("0", 1), ("9" * 4, 100)],
)
def test_spans_are_numbers_of_a_size(value: str | None, number: int) -> None:
    assert spanned(value) == number


def test_a_table_never_grows_much_beyond_what_was_written() -> None:
    tall = [Cell("字" * 500, rows=100) for _ in range(60)]
    rows = [tall, *([Cell("一")] for _ in range(5000))]
    assert len("".join(table_lines(rows))) < 10 * (60 * 500 + 5000)
