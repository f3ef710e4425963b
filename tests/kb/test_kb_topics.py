"""Sections that belong to one person or thing, and those that do not."""

import pytest

from kb.sections import Section
from kb.topics import topics_of

TEXT = "住在河边的人，很少出门。"


def titles(title: str, *sections: Section) -> list[str]:
    return [name for name, _ in topics_of(title, sections)]


def under(*path: str, text: str = TEXT) -> Section:
    return (path, text)


@pytest.mark.parametrize(
    ("title", "heading"),
    [
        ("主要人物", ()),
        ("登場人物", ()),
        ("零之使魔", ("女性角色一览",)),
        ("雨城", ("组织", "水务司成员")),
        ("设定集", ("二、道具",)),
    ],
)
def test_a_heading_in_a_list_of_people_or_things_is_a_page(
    title: str, heading: tuple[str, ...]
) -> None:
    assert titles(title, under(*heading, "露易丝"), under(*heading, "才人")) == ["露易丝", "才人"]


@pytest.mark.parametrize(
    "heading", ["露易丝（CV：某某）", "1. 露易丝", "女主角：露易丝", "【露易丝】", "一、露易丝"]
)
def test_a_heading_is_the_name_in_it(heading: str) -> None:
    assert titles("主要人物", under(heading)) == ["露易丝"]


def test_a_page_keeps_its_sections_and_their_headings() -> None:
    page = topics_of(
        "人物",
        [under("露易丝"), under("露易丝", "性格", text="傲。"), under("露易丝", "能力", "魔法")],
    )
    assert page == [("露易丝", [((), TEXT), (("性格",), "傲。"), (("能力", "魔法"), TEXT)])]


def test_the_headings_above_stay_but_for_those_of_lists() -> None:
    page = [under("魔法学院", text="魔法学院在山上。"), under("魔法学院", "教师", "科尔贝尔")]
    assert topics_of("地点", page)[1] == ("科尔贝尔", [(("魔法学院",), TEXT)])


@pytest.mark.parametrize(
    "heading", ["性格", "外貌特征", "人物经历", "生活状况", "与陆迟的关系", "第三章"]
)
def test_attributes_are_no_pages(heading: str) -> None:
    assert titles("主要人物", under(heading), under("露易丝")) == ["主要人物", "露易丝"]
    assert titles("沈灯", ((), "沈灯是灯匠。"), under(heading)) == ["沈灯"]


def test_the_sections_of_one_persons_page_are_that_persons() -> None:
    page = [((), "沈灯是灯匠。"), under("灯会"), under("喜好"), under("手艺与工具")]
    assert titles("沈灯", *page) == ["沈灯"]


def test_a_list_needs_no_known_name_where_it_has_nothing_but_names() -> None:
    assert titles("怪谈", under("灯影子"), under("水猴子"), under("墙里人")) == [
        "灯影子",
        "水猴子",
        "墙里人",
    ]


def test_a_heading_that_its_text_begins_with_is_a_page_of_a_book() -> None:
    page = [((), "这是一本讲述少年的小说。"), under("露易丝", text="露易丝是贵族。"), under("剧情")]
    assert titles("零之书", *page) == ["零之书", "露易丝"]


def test_what_two_people_both_have_is_neither_of_them() -> None:
    page = [under(name, "家人", "父亲大人", text="父亲大人很凶。") for name in ("露易丝", "才人")]
    assert titles("主要人物", *page) == ["露易丝", "才人"]


def test_lines_of_a_list_of_people_are_pages() -> None:
    text = "以下都是配角。\n西尔芙：塔巴莎的使魔，是一条会说话的风龙。\n库克：学院的厨师长，胖胖的，爱做菜。"
    assert titles("人物", under("配角", text=text)) == ["人物", "西尔芙", "库克"]
    assert titles(
        "沈灯", ((), "生日：三月初三，正是收工的日子。\n身高：一米六，比她妹妹高一些。")
    ) == ["沈灯"]
