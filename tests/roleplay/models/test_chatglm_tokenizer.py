"""The tokenizer's rules on a small vocabulary; ``test_chatglm_golden`` has the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from roleplay.errors import ModelError
from roleplay.models.chatglm import ChatGLMTokenizer

Tokenizer = Any


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return [token for token in tokenizer.tokenize(text) if token != "▁"]


def test_a_prompt_ends_in_gmask_and_sop(pieces: Tokenizer) -> None:
    ids = pieces("你好").input_ids
    assert ids[-2:] == [pieces.gmask_token_id, pieces.bos_token_id]
    assert pieces("").input_ids == ids[-2:]


def test_a_mask_in_the_text_takes_the_place_of_gmask(pieces: Tokenizer) -> None:
    ids = pieces("你好[MASK]世界").input_ids
    assert pieces.gmask_token_id not in ids
    assert ids[-2:] == [pieces.end_token_id, pieces.bos_token_id]
    assert pieces("你好[MASK]").input_ids[-2:] == [pieces.mask_token_id, pieces.bos_token_id]


@pytest.mark.parametrize("typed", ["[gMASK]", "</s>", "<s>", "[sMASK]"])
def test_other_special_names_are_ordinary_characters(pieces: Tokenizer, typed: str) -> None:
    ids = pieces.encode(f"甲{typed}乙", add_special_tokens=False)
    assert pieces.convert_tokens_to_ids(typed) not in ids
    assert typed in pieces.decode(ids)


def test_nothing_typed_is_special_where_the_caller_says_so(pieces: Tokenizer) -> None:
    ids = pieces.encode("你好[MASK]<eop>", add_special_tokens=False, split_special_tokens=True)
    assert not {pieces.mask_token_id, pieces.eos_token_id} & set(ids)
    assert pieces.decode(ids) == "你好[MASK]<eop>"


def test_whitespace_beside_a_special_token_is_lost(pieces: Tokenizer) -> None:
    assert pieces("你好 \n[MASK]\t世界").input_ids == pieces("你好[MASK]世界").input_ids


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("a\nb", "a<n>b"),
        ("a\tb", "a<|tab|>b"),
        ("a b", "a b"),
        ("a  b", "a<|blank_2|>b"),
        ("a" + " " * 81 + "b", "a<|blank_80|> b"),
        ("a" + " " * 163 + "b", "a<|blank_80|><|blank_80|><|blank_3|>b"),
    ],
)
def test_whitespace_is_rewritten(pieces: Tokenizer, text: str, rewritten: str) -> None:
    assert pieces.encode(text) == pieces.encode(rewritten)


@given(st.text("你好世界灯船aeo. \n\t", max_size=40).map(str.strip))
def test_round_trip(pieces_file: Path, text: str) -> None:
    tokenizer = kept(pieces_file)
    assert tokenizer.decode(tokenizer.encode(text)) == text


_KEPT: dict[Path, Tokenizer] = {}


def kept(path: Path) -> Tokenizer:
    """One tokenizer for all examples of a property test."""
    return _KEPT.setdefault(path, ChatGLMTokenizer(str(path))) if path not in _KEPT else _KEPT[path]


def test_full_width_marks_become_ascii(pieces: Tokenizer) -> None:
    assert pieces.decode(pieces.encode("问：来了！")) == "问:来了!"


def test_characters_without_a_piece_become_bytes(pieces: Tokenizer) -> None:
    ids = pieces.encode("😃", add_special_tokens=False)
    assert len(ids) >= 4 and pieces.decode(ids) == "😃"
    assert pieces.decode(ids[:-1]) == "\ufffd\ufffd\ufffd"


def test_a_pair_ends_in_eop_once(pieces: Tokenizer) -> None:
    ids = pieces("你好", "世界").input_ids
    assert ids[-1] == pieces.eos_token_id and ids.count(pieces.bos_token_id) == 1
    assert pieces("你好", "世界<eop>").input_ids == ids


def test_truncation_keeps_the_left_part(pieces: Tokenizer) -> None:
    whole, cut = (
        pieces("灯还亮着灯还亮着").input_ids,
        pieces("灯还亮着灯还亮着", truncation=True, max_length=5).input_ids,
    )
    assert cut == whole[:3] + whole[-2:]


def test_padding_goes_left_and_is_blocked(pieces: Tokenizer) -> None:
    batch = pieces(["你好", "灯还亮着，船走了。"], padding=True, return_tensors="pt")
    short = int((batch["input_ids"][0] == pieces.pad_token_id).sum())
    assert (
        short > 0
        and batch["attention_mask"][0, 0, :, :short].all()
        and batch["attention_mask"][0, 0, :short].all()
    )
    assert batch["position_ids"][0, :, : short + 1].eq(0).all()
    assert sorted(pieces(["你好", "来了"])) == ["input_ids"]


def test_padding_on_the_right_is_refused(pieces: Tokenizer) -> None:
    with pytest.raises(ValueError, match="ChatGLM is padded on the left"):
        pieces(["你好"], padding=True, padding_side="right")


def test_an_id_without_a_piece(pieces: Tokenizer) -> None:
    ids = [*pieces.encode("你好", add_special_tokens=False), len(pieces) + 3]
    with pytest.raises(
        IndexError,
        match=rf"ids \[{ids[-1]}\] have no piece, the vocabulary ends at {len(pieces) - 1}",
    ):
        pieces.decode(ids)
    assert pieces.decode(ids, errors="replace") == "你好\ufffd"


def test_the_rule_for_ids_without_a_piece_is_kept_with_the_tokenizer(
    pieces_file: Path, tmp_path: Path
) -> None:
    ChatGLMTokenizer(str(pieces_file), errors="replace").save_pretrained(tmp_path)
    assert ChatGLMTokenizer.from_pretrained(tmp_path).decode([10**6]) == "\ufffd"
    with pytest.raises(ValueError, match="errors must be one of strict replace, not 'ignore'"):
        ChatGLMTokenizer(str(pieces_file), errors="ignore")


def test_saved_and_loaded_it_gives_the_same_ids(pieces: Tokenizer, tmp_path: Path) -> None:
    pieces.save_pretrained(tmp_path)
    again = ChatGLMTokenizer.from_pretrained(tmp_path)
    assert again("甲[gMASK] <eop>\n乙").input_ids == pieces("甲[gMASK] <eop>\n乙").input_ids
    assert sorted(again.all_special_tokens) == sorted(pieces.all_special_tokens)


def test_special_tokens_of_an_old_configuration_change_nothing(
    pieces: Tokenizer, pieces_file: Path
) -> None:
    old = {
        "gmask_token": "[gMASK]",
        "end_token": "</s>",
        "remove_space": False,
        "do_lower_case": False,
    }
    assert (
        ChatGLMTokenizer(str(pieces_file), **old)("甲[gMASK]</s>").input_ids
        == pieces("甲[gMASK]</s>").input_ids
    )


def test_files_that_are_no_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"no tokenizer file ice_text.model: put the model's ice_text.model into"
    ):
        ChatGLMTokenizer()
    (tmp_path / "ice_text.model").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"ice_text.model is no sentencepiece model"):
        ChatGLMTokenizer(str(tmp_path / "ice_text.model"))


def test_the_vocabulary_of_another_model(tmp_path: Path) -> None:
    SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_prefix=str(tmp_path / "other"),
        vocab_size=8,
        minloglevel=2,
    )
    with pytest.raises(
        ModelError,
        match=r"is not ChatGLM's vocabulary, it lacks <sop> <eop> <pad> \[MASK\] \[gMASK\]",
    ):
        ChatGLMTokenizer(str(tmp_path / "other.model"))


def test_image_tokens_are_refused(pieces_file: Path) -> None:
    with pytest.raises(ModelError, match="num_image_tokens is 20000, only 0 is supported"):
        ChatGLMTokenizer(str(pieces_file), num_image_tokens=20000)
