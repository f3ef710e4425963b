"""BM25 over character bigrams."""

import time

import numpy as np
import pytest

from kb.keyword import KeywordIndex
from kb.names import NameFinder, normalise

TEXTS = [
    "沈灯 最喜欢桂花糕。",
    "杜若 养了一只叫墨点的猫。",
    "飞艇 X9 的船长是 Anna Lee，重 300 吨。",
    "吹烟镇 在河的北岸。",
]


@pytest.fixture
def index() -> KeywordIndex:
    return KeywordIndex(TEXTS)


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("谁养了猫", 1),
        ("桂花糕", 0),
        ("ＡＮＮＡ是谁", 2),
        ("300吨", 2),
        ("吹烟镇在哪里？", 3),
        ("猫", 1),
    ],
)
def test_best_text(index: KeywordIndex, query: str, best: int) -> None:
    assert int(index.scores(query).argmax()) == best


def test_no_common_term_scores_zero(index: KeywordIndex) -> None:
    assert not index.scores("zebra").any()


def test_question_words_do_not_count() -> None:
    index = KeywordIndex(["什么什么是什么", "灯会在三月"])
    assert index.scores("灯会是什么时候")[0] < index.scores("灯会是什么时候")[1]


def test_query_of_question_words_alone_is_still_looked_for() -> None:
    assert KeywordIndex(["什么什么是什么", "灯会在三月"]).scores("什么")[0] > 0


def test_bigrams_count_more_than_single_characters() -> None:
    scores = KeywordIndex(["喜欢灯会", "灯和会社"]).scores("灯会")
    assert scores[0] > 3 * scores[1]


def test_names_count_less_than_what_is_asked() -> None:
    texts = ["沈灯沈灯沈灯住在河边", "别的人喝茶水", "沈灯沈灯", "甲乙丙丁"]
    assert (
        KeywordIndex(texts, NameFinder(["沈灯"])).scores("沈灯喝茶")[1]
        > KeywordIndex(texts).scores("沈灯喝茶")[1]
    )


def test_a_name_is_found_whole() -> None:
    texts = ["沈砚秋住在塔上", "沈砚冬住在塔下"]
    assert KeywordIndex(texts, NameFinder(["沈砚秋", "沈砚冬"])).scores("沈砚秋")[1] == 0
    assert KeywordIndex(texts).scores("沈砚秋")[1] > 0


def test_part_of_a_name_is_still_found() -> None:
    assert KeywordIndex(["沈砚秋住在塔上"], NameFinder(["沈砚秋"])).scores("沈砚")[0] > 0


def test_a_long_scene_may_hold_more_than_any_text_can_answer() -> None:
    index = KeywordIndex(["沈灯最喜欢镇口老铺子的桂花糕，每天都要吃两块", "杜若养了一只猫"])
    part = "镇口老铺子的桂花糕，每天都要吃两块"
    scene = (
        "雨停了，屋檐下的水珠一滴一滴落进铜盆，谁也没有说话。他们站在门边看天，一直看到灯亮了"
        + part
    )
    assert index.scores(scene)[0] > 0.3 * index.scores(part)[0]


def test_a_query_like_an_average_text_scores_about_one(index: KeywordIndex) -> None:
    assert index.scores(TEXTS[1])[1] == pytest.approx(1, abs=0.3)


def test_queries_teach_the_index_no_words(index: KeywordIndex) -> None:
    before = index.scores("Anna")
    index.scores("zebra yak")
    assert np.array_equal(index.scores("Anna"), before)


def test_no_texts_and_empty_queries() -> None:
    assert KeywordIndex([]).scores("沈灯").shape == (0,)
    assert not KeywordIndex(TEXTS).scores("").any()


def test_normalise_folds_width_case_and_lines() -> None:
    assert normalise("ＡＢ\n１　甲") == "ab 1 甲"


def test_ten_thousand_texts_and_a_long_query_are_quick() -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(map(chr, row)) for row in rng.integers(0x4E00, 0x5600, (10_000, 100))]
    index = KeywordIndex(texts)
    start = time.perf_counter()
    best = int(index.scores(texts[77] + "".join(texts[:100])).argmax())
    assert time.perf_counter() - start < 1
    assert best < 100
