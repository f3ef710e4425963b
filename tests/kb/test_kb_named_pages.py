"""Two small wikis of our own with 60 questions each: the page that a question names is found first.

data/wugang is one Markdown page as a fan writes it by hand, with a section for each person and thing
(the weights of the search were chosen on it); data/yanqiao is a MediaWiki export in traditional
characters with infoboxes, whose questions come in both scripts (nothing was chosen on it).
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kb.embedding import BundledEmbedder
from kb.index import build_index
from kb.retrieval import KnowledgeBase
from kb.snippets import Snippet, entries_to_snippets, make_snippet
from kb.wiki import iter_wiki

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def wikis(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KnowledgeBase]:
    embedder = BundledEmbedder()
    found = {}
    for name in ("wugang", "yanqiao"):
        folder = tmp_path_factory.mktemp("kb") / name
        build_index(folder, entries_to_snippets(iter_wiki(DATA / name)), embedder)
        found[name] = KnowledgeBase.load(folder, embedder=embedder)
    return found


def shares(knowledge: KnowledgeBase, name: str, asked: str) -> tuple[float, float, float]:
    """Of the questions: the page first, the answer first, the answer among three."""
    lines = (DATA / name / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    page = first = three = 0
    for row in rows:
        hits = knowledge.search(f"{asked} {row['question']}".strip(), 3)
        right = [any(text in hit.snippet.display for text in row["answers"]) for hit in hits]
        page += hits[0].snippet.title == row["page"]
        first += right[0]
        three += any(right)
    return page / len(rows), first / len(rows), three / len(rows)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("wugang", ""),
        ("wugang", "林照雪"),
        ("wugang", "沈渡"),
        ("yanqiao", ""),
        ("yanqiao", "蘇燕回"),
        ("yanqiao", "陆行舟"),
    ],
)
def test_the_page_that_is_named_is_found_whoever_is_asked(
    wikis: dict[str, KnowledgeBase], name: str, asked: str
) -> None:
    page, first, three = shares(wikis[name], name, asked)
    assert page >= 0.95 and first >= 0.9 and three >= 0.97


@pytest.mark.parametrize(
    ("name", "query", "pages", "between"),
    [
        ("wugang", "沈渡 你喜欢林照雪吗？", {"沈渡", "林照雪"}, "和沈渡是同桌"),
        ("wugang", "林照雪 你讨厌沈渡吗？", {"沈渡", "林照雪"}, "缝了一截假袖子"),
        ("wugang", "林照雪和沈渡是什么关系？", {"沈渡", "林照雪"}, "和沈渡是同桌"),
        ("wugang", "小满丫 你叫阿铜什么？", {"小满丫", "阿铜"}, "会说话的烧饼"),
        ("yanqiao", "苏燕回 你喜歡陸行舟嗎？", {"蘇燕回", "陸行舟"}, "紅豆餅"),
        ("yanqiao", "宁小满和裴硯是什么关系", {"寧小滿", "裴硯"}, "暗中喜歡裴硯"),
    ],
)
def test_both_of_a_relation_are_found_and_what_is_between_them(
    wikis: dict[str, KnowledgeBase], name: str, query: str, pages: set[str], between: str
) -> None:
    hits = [hit.snippet for hit in wikis[name].search(query, 3)]
    assert pages <= {snippet.title for snippet in hits}
    assert any(between in snippet.text for snippet in hits)


def test_every_name_of_a_question_gets_its_place(wikis: dict[str, KnowledgeBase]) -> None:
    for names in ("钟楼、圣灯堂和旧河道", "十三娘和罗锅爷爷", "林伯、影匠、赵把头"):
        hits = wikis["wugang"].search(f"{names}哪个先有？", 5)
        scores = [hit.score for hit in hits]
        assert all(
            hit.snippet.title in names for hit in hits[: names.count("、") + 1 + ("和" in names)]
        )
        assert scores == sorted(scores, reverse=True)


def world(folder: Path, embedder: object, snippets: list[Snippet]) -> KnowledgeBase:
    build_index(folder / "kb", snippets, embedder)  # type: ignore[arg-type]
    return KnowledgeBase.load(folder / "kb", embedder=embedder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "query", ["沈灯爱吃什么糕", "沈燈愛吃什麼糕", "小灯爱吃什么糕", "杜若 沈灯爱吃什么糕"]
)
def test_the_named_page_wins_over_those_that_mention_it(
    tmp_path: Path, embedder: object, query: str
) -> None:
    snippets = [
        make_snippet("沈灯", "每天一定要去铺子里买桂花糕。", aliases=["小灯"]),
        make_snippet("杜若", "杜若爱吃什么糕，沈灯和小灯就吃什么糕。"),
        make_snippet("灯会", "灯会上沈灯吃糕。"),
    ]
    assert world(tmp_path, embedder, snippets).search(query, 1)[0].snippet.title == "沈灯"


def test_a_page_called_like_a_word_is_no_name(tmp_path: Path, embedder: object) -> None:
    snippets = [
        make_snippet("性格", "这一页讲各人的脾气。"),
        make_snippet("沈灯", "沈灯的性格很傲。"),
    ]
    hits = world(tmp_path, embedder, snippets).search("沈灯的性格怎么样", 1)
    assert hits[0].snippet.title == "沈灯"


@pytest.fixture
def facts_and_plot(tmp_path: Path, embedder: object) -> Callable[[str], str]:
    snippets = [
        make_snippet("沈灯", "身高一米六。"),
        make_snippet("沈灯", "沈灯第一次见面说：“塔有多高？”", chapter=1),
        make_snippet("沈灯", "沈灯最后说：“身高不重要。”", chapter=2),
    ]
    knowledge = world(tmp_path, embedder, snippets)
    return lambda query: knowledge.search(query, 1)[0].snippet.text


def test_facts_come_before_the_plot_unless_it_is_asked_for(
    facts_and_plot: Callable[[str], str],
) -> None:
    assert facts_and_plot("沈灯身高多高") == "身高一米六。"
    assert "第一次见面" in facts_and_plot("沈灯第一次见面说了什么")
