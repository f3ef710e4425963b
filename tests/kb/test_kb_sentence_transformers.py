"""A sentence-transformers model from a folder, made here: its instructions, and an index."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kb.embedding import get_embedder
from kb.index import build_index, load_index
from kb.retrieval import KnowledgeBase
from kb.snippets import Snippet

TEXT = "沈灯最喜欢桂花糕"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """(name) -> a folder of that name with a tiny BERT, the same weights every time."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = sorted(set(TEXT + "为这个句子生成表示以用于检索相关文章：query: passage: 灯河猫"))
    vocabulary = {
        word: number
        for number, word in enumerate([*SPECIAL, *(letter for letter in letters if letter.strip())])
    }
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(
        zip(
            ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True
        )
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=64, **names)
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }

    def make(name: str) -> str:
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("models") / name
        BertModel(
            BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)
        ).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


@pytest.mark.parametrize(
    ("name", "passage", "query"),
    [
        ("bge-tiny-zh", "", "为这个句子生成表示以用于检索相关文章："),
        ("e5-tiny", "passage: ", "query: "),
        ("tiny", "", ""),
    ],
)
def test_a_family_reads_its_own_instructions(
    make_model: Callable, name: str, passage: str, query: str
) -> None:
    embedder, plain = get_embedder(make_model(name)), get_embedder(make_model("plain"))
    assert embedder.dim == 16
    for kind, prefix in (("passage", passage), ("query", query)):
        assert np.allclose(
            embedder.encode([TEXT], kind=kind), plain.encode([prefix + TEXT]), atol=1e-5
        )


def test_an_index_is_made_and_searched_with_it(
    make_model: Callable, tmp_path: Path, snippets: list[Snippet]
) -> None:
    folder = make_model("bge-tiny-zh")
    assert build_index(tmp_path / "kb", snippets, get_embedder(folder)).embedded == 5
    assert load_index(tmp_path / "kb").meta.embedder == folder
    assert (
        KnowledgeBase.load(tmp_path / "kb").search("沈灯喜欢桂花糕吗", 1)[0].snippet.title == "沈灯"
    )


def test_another_model_embeds_everything_again_with_progress(
    make_model: Callable, tmp_path: Path, snippets: list[Snippet], embedder
) -> None:
    build_index(tmp_path / "kb", snippets, embedder)
    seen: list[tuple[int, int]] = []
    report = build_index(
        tmp_path / "kb",
        snippets,
        get_embedder(make_model("tiny")),
        on_progress=lambda *step: seen.append(step),
    )
    assert (report.embedded, report.reused, seen) == (5, 0, [(5, 5)])
