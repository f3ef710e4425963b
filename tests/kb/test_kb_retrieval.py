"""Search over a real small index."""

import json
import time
from pathlib import Path

import pytest

from kb.errors import EmbedderMismatchError, QueryError
from kb.index import build_index
from kb.retrieval import Hit, KnowledgeBase, Query, shorten_query
from kb.snippets import Snippet, make_snippet

EXAMPLE = Path(__file__).resolve().parents[2] / "worlds" / "chuiyan"
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


def test_near_identical_texts_are_shown_once(tmp_path: Path, embedder) -> None:
    same = [
        make_snippet(title, "最喜欢镇口老铺子的桂花糕，每天都要吃两块。")
        for title in ("沈灯", "小灯")
    ]
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


def test_an_impossible_number_is_refused(kb: KnowledgeBase) -> None:
    with pytest.raises(QueryError, match="k is 0"):
        kb.search("沈灯", 0)


def test_load_refuses_another_embedder(tmp_path: Path, kb: KnowledgeBase, make_embedder) -> None:
    with pytest.raises(EmbedderMismatchError, match="'hash', not 'other'"):
        KnowledgeBase.load(tmp_path / "kb", embedder=make_embedder("other"))


def test_model_of_the_same_name_and_another_size_is_refused(
    tmp_path: Path, kb, make_embedder
) -> None:
    other = KnowledgeBase.load(tmp_path / "kb", embedder=make_embedder("hash", 8))
    with pytest.raises(EmbedderMismatchError, match="gives 8 dimensions"):
        other.search("沈灯")


def world(tmp_path: Path, embedder, snippets: list[Snippet]) -> KnowledgeBase:
    build_index(tmp_path / "w", snippets, embedder)
    return KnowledgeBase.load(tmp_path / "w", embedder=embedder)


def test_an_alias_finds_the_page_that_speaks_of_the_title_only(tmp_path: Path, embedder) -> None:
    pages = [
        make_snippet("沈灯", "灯匠。", aliases=["阿灯师傅"]),
        make_snippet("灯会", "灯会上沈灯点亮了第一盏。"),
        make_snippet("河", "河水很冷。"),
    ]
    knowledge = world(tmp_path, embedder, pages)
    assert knowledge.expand("阿灯师傅点亮了什么") == "沈灯\n阿灯师傅点亮了什么"
    assert "第一盏" in knowledge.search("阿灯师傅点亮了什么", 1, method="keyword")[0].snippet.text


def test_a_query_with_the_title_is_left_as_it_is(kb: KnowledgeBase) -> None:
    assert kb.expand("沈灯和小灯") == "沈灯和小灯"


CHAPTERS = [
    *(make_snippet("塔", f"塔里第{n}扇门后是空的。", chapter=9) for n in range(12)),
    make_snippet("塔", "塔里的门后藏着一口钟。", chapter=2, people=["沈灯", "杜若"]),
    make_snippet("塔", "塔建在河边，门朝南。"),
]


def test_later_chapters_are_hidden_and_k_hits_still_come(tmp_path: Path, embedder) -> None:
    knowledge = world(tmp_path, embedder, CHAPTERS)
    for method in METHODS:
        hits = knowledge.search("塔里第几扇门后是空的", 2, not_after=2, method=method)
        assert {hit.snippet.chapter for hit in hits} == {2, None}


def test_a_character_knows_only_what_they_were_present_at(tmp_path: Path, embedder) -> None:
    knowledge = world(tmp_path, embedder, CHAPTERS)
    known = knowledge.search("塔里的门后藏着什么钟", 14, known_to="杜若")
    hidden = knowledge.search("塔里的门后藏着什么钟", 14, known_to="陆迟")
    assert "一口钟" in known[0].snippet.text
    assert hidden and not any("一口钟" in hit.snippet.text for hit in hidden)


def test_a_person_is_known_by_every_alias(tmp_path: Path, embedder) -> None:
    page = make_snippet("沈灯", "灯匠。", aliases=["小灯"])
    knowledge = world(tmp_path, embedder, [page, *CHAPTERS])
    assert "一口钟" in knowledge.search("塔里的门后藏着什么钟", 1, known_to="小灯")[0].snippet.text


def test_paraphrases_of_one_fact_do_not_fill_the_hits(tmp_path: Path, embedder) -> None:
    told = [
        "最喜欢吃镇口老铺子的桂花糕。",
        "他最喜欢吃的是镇口老铺子的桂花糕。",
        "最喜欢吃镇口老铺子的桂花糕，天天去。",
    ]
    other = make_snippet("桂花糕", "用糯米粉蒸成，撒上干桂花。")
    knowledge = world(tmp_path, embedder, [*(make_snippet("沈灯", text) for text in told), other])
    assert [hit.snippet.title for hit in knowledge.search("沈灯喜欢吃桂花糕吗", 3)] == [
        "沈灯",
        "桂花糕",
    ]


def one_by_one(kb: KnowledgeBase, queries: list[Query]) -> list[list[Hit]]:
    return [
        kb.search(query.text, query.k, known_to=query.known_to, not_after=query.not_after)
        for query in queries
    ]


def test_many_queries_find_what_each_finds_alone(tmp_path: Path, embedder) -> None:
    knowledge = world(
        tmp_path, embedder, [make_snippet("沈灯", "灯匠。", aliases=["小灯"]), *CHAPTERS]
    )
    text = "塔里的门后藏着什么钟"
    queries = [
        Query(text, 14, known_to="小灯"),
        Query("小灯是谁", 2),
        Query(text, 14, known_to="陆迟", not_after=2),
        Query(" \n", 3),
        Query(text, 1),
    ]
    found = knowledge.search_many(queries)
    assert found == one_by_one(knowledge, queries)
    assert [len(hits) > 0 for hits in found] == [True, True, True, False, True]


def test_many_queries_are_encoded_in_batches_and_each_text_once(
    kb: KnowledgeBase, embedder
) -> None:
    queries = [Query(f"第{number % 130}盏灯", 1 + number % 3) for number in range(400)]
    embedder.batches.clear()
    found = kb.search_many(queries)
    assert embedder.batches == [64, 64, 2]
    assert found == one_by_one(kb, queries)


def test_many_queries_agree_on_the_example_index() -> None:
    knowledge = KnowledgeBase.load(EXAMPLE / "kb")
    lines = (EXAMPLE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [Query(json.loads(line)["question"], 3, not_after=2) for line in lines[:100]]
    alone = one_by_one(knowledge, queries)
    for many, one in zip(knowledge.search_many(queries), alone, strict=True):
        assert [hit.snippet for hit in many] == [hit.snippet for hit in one]
        # A batch is rounded a little differently from a text alone.
        assert [hit.score for hit in many] == pytest.approx([hit.score for hit in one], abs=1e-5)


def test_no_queries_and_impossible_ones(kb: KnowledgeBase) -> None:
    assert kb.search_many([]) == []
    with pytest.raises(QueryError, match="k is 0"):
        kb.search_many([Query("沈灯", 2), Query("杜若", 0)])
