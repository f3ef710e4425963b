"""ChatGLM in the one trainer: what is learnt, what is saved, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from roleplay.errors import DatasetError, UsageError
from roleplay.models import causal
from roleplay.records import Example
from roleplay.training.data import TokenRow
from roleplay.training.examples import encode_example
from roleplay.training.families import CausalFamily, PrefixFamily, family_of
from roleplay.training.settings import TrainSettings
from roleplay.training.steps import mean_loss
from roleplay.training.trainer import train

FAST = {"pre_seq_len": 4, "batch": 2, "warmup_steps": 1, "log_steps": 5}
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "int4": {"quantization_bit": 4, "quantization_embeddings": True},
}


def row(pieces: Any, answer: str, weight: float = 1.0) -> TokenRow:
    example = Example(
        prompt="问：你点什么？\n阿灯：",
        response=answer,
        character="阿灯",
        task="question",
        weight=weight,
    )
    return encode_example(pieces, example, max_source=32, max_target=16)


@pytest.fixture
def rows(pieces: Any) -> list[TokenRow]:
    return [row(pieces, answer) for answer in ("灯亮着。", "灯灭了。", "灯还亮着。")]


def load(folder: Path, form: str = "plain") -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, **FORMS[form]).requires_grad_(False)


def saved_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "trainer").glob("checkpoint-*/*.safetensors")}


def test_families_of_models_and_tokenizers(
    glm: Any, pieces: Any, llama: Any, tokenizer: Any
) -> None:
    from roleplay.adapters.lora import new_lora

    assert {type(family_of(part)) for part in (glm, pieces, new_lora(glm, rank=2))} == {
        PrefixFamily
    }
    assert {type(family_of(part)) for part in (llama, tokenizer)} == {CausalFamily}


@pytest.mark.parametrize("form", list(FORMS))
def test_the_loss_of_the_base_model_by_hand(
    glm_home: Path, rows: list[TokenRow], form: str
) -> None:
    model, losses = load(glm_home, form), []
    for one in rows:
        scores = model(input_ids=torch.tensor([one.ids])).logits[0]
        for place in [place for place, weight in enumerate(one.weights) if weight]:
            losses.append(functional.cross_entropy(scores[place - 1], torch.tensor(one.ids[place])))
    assert mean_loss(model, rows) == pytest.approx(float(torch.stack(losses).mean()), abs=1e-5)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize(
    ("adapter", "projection", "rate"),
    [("prefix", False, 0.1), ("prefix", True, 0.03), ("lora", False, 0.01)],
)
def test_training_lowers_the_loss(
    glm_home: Path,
    pieces: Any,
    rows: list[TokenRow],
    form: str,
    adapter: Any,
    projection: bool,
    rate: float,
    tmp_path: Path,
) -> None:
    more = {"prefix_projection": projection, "learning_rate": rate}
    settings = TrainSettings(adapter=adapter, max_steps=30, eval_steps=15, **more, **FAST)
    model = load(glm_home, form)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adapted, result = train(model, pieces, rows, rows, settings, folder=tmp_path)
    assert result["test_loss"] < result["base_loss"] - 0.2
    assert mean_loss(adapted, rows) == result["test_loss"]
    assert (result["steps"], result["target_tokens"]) == (30, sum(one.targets for one in rows))
    if adapter == "prefix":
        assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_a_saved_state_holds_the_prefix_alone(
    glm_home: Path, pieces: Any, rows: list[TokenRow], tmp_path: Path
) -> None:
    settings = TrainSettings(adapter="prefix", max_steps=4, eval_steps=2, **FAST)
    train(load(glm_home), pieces, rows, rows, settings, folder=tmp_path)
    assert saved_files(tmp_path) == {"prefix.safetensors"}
    sizes = [
        path.stat().st_size for path in (tmp_path / "trainer").glob("checkpoint-*/*.safetensors")
    ]
    assert max(sizes) < 4 * 128 * 4 + 1000


def test_lora_is_saved_by_peft(
    glm_home: Path, pieces: Any, rows: list[TokenRow], tmp_path: Path
) -> None:
    settings = TrainSettings(adapter="lora", max_steps=2, eval_steps=2, **FAST)
    train(load(glm_home), pieces, rows, rows, settings, folder=tmp_path)
    assert saved_files(tmp_path) == {"adapter_model.safetensors"}


def test_the_best_weights_come_back(glm_home: Path, pieces: Any, tmp_path: Path) -> None:
    """Trained on one answer and tested on another, the held-out loss ends higher than it was."""
    settings = TrainSettings(
        adapter="prefix", learning_rate=0.5, max_steps=16, eval_steps=2, **FAST
    )
    learnt, test = [row(pieces, "灯" * 6)], [row(pieces, "船" * 10)]
    adapted, result = train(load(glm_home), pieces, learnt, test, settings, folder=tmp_path)
    found = [
        json.loads(line)
        for line in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    losses = [one["eval_loss"] for one in found if "eval_loss" in one]
    assert len(losses) == 8 and losses[-1] > min(losses) + 0.02
    assert result["test_loss"] == pytest.approx(min(losses), abs=1e-6) == mean_loss(adapted, test)


def test_the_weights_of_rows_count(glm_home: Path, pieces: Any, tmp_path: Path) -> None:
    settings = TrainSettings(
        adapter="prefix", learning_rate=0.1, max_steps=20, eval_steps=20, **FAST
    )
    loud, quiet = row(pieces, "灯亮着。"), row(pieces, "船走了。", weight=0.01)
    adapted, _ = train(
        load(glm_home), pieces, [loud, quiet], [loud, quiet], settings, folder=tmp_path
    )
    gains = [mean_loss(load(glm_home), [one]) - mean_loss(adapted, [one]) for one in (loud, quiet)]
    assert gains[0] > gains[1] + 0.2


def test_activations_are_kept_at_the_borders_of_blocks(
    glm_home: Path, rows: list[TokenRow]
) -> None:
    for adapter in ("prefix", "lora"):
        model = load(glm_home)
        adapted = PrefixFamily().new_adapter(
            model, rows, TrainSettings(adapter=adapter, pre_seq_len=4)
        )  # type: ignore[arg-type]
        assert all(block.gradient_checkpointing for block in causal.body(adapted).layers)


def test_a_prefix_starts_from_the_first_prompts(
    glm_home: Path, pieces: Any, rows: list[TokenRow]
) -> None:
    from roleplay.adapters.prefix import text_rows

    model = load(glm_home)
    ids = torch.tensor([[*rows[0].ids[:4], pieces.gmask_token_id, pieces.bos_token_id]])
    with torch.no_grad():
        wanted = text_rows(model, ids, length=4)
    PrefixFamily().new_adapter(model, rows, TrainSettings(adapter="prefix", pre_seq_len=4))
    assert torch.equal(model.transformer.prefix_encoder.embedding.weight, wanted)


def test_a_row_longer_than_the_model(glm_home: Path, pieces: Any, rows: list[TokenRow]) -> None:
    long = TokenRow((5,) * 65, (1.0,) * 65)
    with pytest.raises(
        DatasetError,
        match="the longest row has 65 tokens, the model holds 64: lower --max-source-length",
    ):
        PrefixFamily().new_adapter(load(glm_home), [*rows, long], TrainSettings(adapter="prefix"))


def test_a_prefix_longer_than_the_model(glm_home: Path, rows: list[TokenRow]) -> None:
    with pytest.raises(
        DatasetError, match="a prefix of 63 starts from as many tokens: give at most 62"
    ):
        PrefixFamily().new_adapter(
            load(glm_home), rows, TrainSettings(adapter="prefix", pre_seq_len=63)
        )


@pytest.mark.parametrize(
    ("family", "given", "adapter", "rate"),
    [
        (PrefixFamily(), {}, "prefix", 2e-2),
        (PrefixFamily(), {"adapter": "lora"}, "lora", 1e-3),
        (PrefixFamily(), {"pre_seq_len": 128, "learning_rate": 0.5}, "prefix", 0.5),
        (CausalFamily(), {}, "lora", 1e-3),
        (CausalFamily(), {"pre_seq_len": 8}, "prefix", 3e-2),
        (CausalFamily(), {"pre_seq_len": 8, "adapter": "lora"}, "lora", 1e-3),
    ],
)
def test_what_is_not_given_is_the_familys(
    family: Any, given: dict[str, Any], adapter: str, rate: float
) -> None:
    settings = family.settings(given)
    assert (settings.adapter, settings.learning_rate) == (adapter, rate)


def test_a_projection_is_for_chatglm() -> None:
    with pytest.raises(UsageError, match="--prefix-projection is for ChatGLM: leave it out"):
        CausalFamily().settings({"prefix_projection": True})
    assert PrefixFamily().settings({"prefix_projection": True}).prefix_projection
