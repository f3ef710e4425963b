"""Search over a real small index."""

import time
from pathlib import Path

import pytest

from kb.errors import EmbedderMismatchError, QueryError
from kb.index import build_index
from kb.retrieval import KnowledgeBase, shorten_query
from kb.snippets import make_snippet

METHODS = ["fused", "dense", "keyword"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("query", ["沈灯喜欢吃桂花糕吗", "墨点是谁的猫", "Anna Lee", "灯" * 3000])
def test_scores_lie_between_0_and_1_and_fall(kb: KnowledgeBase, method: str, query: str) -> None:
    scores = [hit.score for hit in kb.search(query, 5, method=method)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("墨点是谁的猫", "墨点"),
        ("吹烟镇在哪里", "北岸"),
        ("小灯最喜欢什么", "桂花糕"),
        ("x-9型飞艇的船长叫什么", "Anna"),
        ("沈灯的生日", "三月初三"),
    ],
)
def test_fused_search_finds_the_answer_first(kb: KnowledgeBase, query: str, answer: str) -> None:
    assert answer in kb.search(query)[0].snippet.display


def test_a_hit_shows_the_parts_of_its_score(kb: KnowledgeBase) -> None:
    [fused], [keyword] = kb.search("桂花糕", 1), kb.search("桂花糕", 1, method="keyword")
    assert fused.keyword == keyword.keyword == keyword.score
    assert fused.dense is not None and keyword.dense is None
    assert min(fused.keyword, fused.dense) <= fused.score <= max(fused.keyword, fused.dense)


def test_k_bounds_the_hits(kb: KnowledgeBase) -> None:
    assert len(kb.search("沈灯", 2)) == 2
    assert len(kb.search("沈灯", 50)) <= len(kb)


def test_budget_counts_the_displayed_characters(kb: KnowledgeBase) -> None:
    hits = kb.search("沈灯喜欢吃什么", 5, budget_chars=30)
    assert 0 < sum(len(hit.snippet.display) for hit in hits) <= 30
    assert kb.search("沈灯喜欢吃什么", budget_chars=0) == []


def test_near_identical_texts_are_shown_once(tmp_path: Path, embedder) -> None:
    same = [make_snippet(title, "最喜欢镇口老铺子的桂花糕，每天都要吃两块。") for title in ("沈灯", "小灯")]
    build_index(tmp_path / "kb", [*same, make_snippet("杜若", "最喜欢猫。")], embedder)
    hits = KnowledgeBase.load(tmp_path / "kb", embedder=embedder).search("最喜欢桂花糕", 3)
    assert [hit.snippet.title for hit in hits[1:]] == ["杜若"]


def test_keyword_search_needs_no_model(kb: KnowledgeBase, embedder) -> None:
    embedder.seen.clear()
    assert kb.search("桂花糕", method="keyword")
    assert embedder.seen == []


def test_keyword_search_without_a_common_word_finds_nothing(kb: KnowledgeBase) -> None:
    assert kb.search("zebra", method="keyword") == []


@pytest.mark.parametrize("query", ["", "  \n", "　"])
def test_empty_query_finds_nothing(kb: KnowledgeBase, query: str) -> None:
    assert kb.search(query) == []


def test_very_long_query_is_quick_and_keeps_its_end(kb: KnowledgeBase) -> None:
    start = time.perf_counter()
    hits = kb.search("她走进了雨里。" * 1500 + "墨点是谁的猫")
    assert time.perf_counter() - start < 1
    assert "墨点" in hits[0].snippet.text


def test_shortened_query_keeps_start_and_end() -> None:
    assert shorten_query("短") == "短"
    short = shorten_query("头" + "中" * 9998 + "尾")
    assert (short[0], short[-1], len(short)) == ("头", "尾", 601)


def test_one_snippet_and_none(tmp_path: Path, embedder) -> None:
    for count in (1, 0):
        build_index(tmp_path / "kb", [make_snippet("沈灯", "灯匠。")][:count], embedder)
        assert len(KnowledgeBase.load(tmp_path / "kb", embedder=embedder).search("沈灯")) == count


def test_unknown_method_lists_the_known_ones(kb: KnowledgeBase) -> None:
    with pytest.raises(QueryError, match="'magic': known are fused, dense, keyword"):
        kb.search("沈灯", method="magic")


@pytest.mark.parametrize(("arguments", "text"), [({"k": 0}, "k is 0"), ({"budget_chars": -1}, "it is -1")])
def test_impossible_numbers_are_refused(kb: KnowledgeBase, arguments: dict, text: str) -> None:
    with pytest.raises(QueryError, match=text):
        kb.search("沈灯", **arguments)


def test_load_refuses_another_embedder(tmp_path: Path, kb: KnowledgeBase, make_embedder) -> None:
    with pytest.raises(EmbedderMismatchError, match="'hash', not 'other'"):
        KnowledgeBase.load(tmp_path / "kb", embedder=make_embedder("other"))


def test_model_of_the_same_name_and_another_size_is_refused(tmp_path: Path, kb, make_embedder) -> None:
    other = KnowledgeBase.load(tmp_path / "kb", embedder=make_embedder("hash", 8))
    with pytest.raises(EmbedderMismatchError, match="gives 8 dimensions"):
        other.search("沈灯")
