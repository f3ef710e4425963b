"""Our ChatGLM-6B against the original: logits, layers, caches, losses, gradients, bytes, ids.

    CHATGLM_GOLDEN=DIR ICE_TEXT_MODEL=FILE pytest tests/roleplay/models/test_chatglm_golden.py

Tolerances are those of the golden set's own description: logits 2e-4, losses 5e-5, gradients 2e-5,
all else exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chatglm_data as data
import numpy as np
import pytest
import torch
from chatglm_data import Case, cases, needs_ice_text
from torch.nn import functional
from transformers import DynamicCache

from roleplay.errors import ModelError
from roleplay.models.chatglm import (
    ChatGLMConfig,
    ChatGLMForConditionalGeneration,
    kernels,
    positions,
)
from roleplay.models.chatglm.kernels import packing as q
from roleplay.models.chatglm.quantization import PackedEmbedding, PackedLinear
from roleplay.models.chatglm.tokenizer import clean_response

LOGITS, LOSS, GRADIENT = 2e-4, 5e-5, 2e-5
SIZES = (
    "fp16",
    "int4 (quantization_bit=4)",
    "int4-qe (quantization_bit=4, quantization_embeddings=true)",
)


CPU = torch.device("cpu")


def works(name: str) -> bool:
    try:
        return kernels.choose(CPU, bits=4, wanted=name).name == name
    except ModelError:
        return False


KERNELS = [name for name in kernels.known(CPU) if name != "torch-int4pack" and works(name)]
"""The exact kernels of this machine; torch's op rounds to bfloat16."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(model, variant, attention) -> a loaded model, kept."""
    kept: dict[tuple[str, str, str], Any] = {}

    def get(model: str, variant: str, attention: str = "eager") -> Any:
        key = (model, variant, attention)
        if key not in kept:
            kept[key] = data.load(
                model, variant, tmp_path_factory.mktemp("golden"), attention=attention
            )
        return kept[key]

    return get


def close(got: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, wanted, atol=tolerance, rtol=0)


def real_rows(case: Case) -> torch.Tensor:
    """bool [b, s]: False where a row is padding that sees nothing."""
    ids = case.get("input_ids")
    if not case.has("attention_mask"):
        return torch.ones_like(ids, dtype=torch.bool)
    return ~case.get("attention_mask")[:, 0].all(dim=-1)


def sequence_first(states: torch.Tensor) -> torch.Tensor:
    return states.transpose(0, 1)


def run(model: Any, case: Case, **kwargs: Any) -> Any:
    with torch.inference_mode():
        return model(**case.inputs(), **kwargs)


def test_there_is_a_golden_set() -> None:
    assert data.MODELS and {variant for _, variant in data.VARIANTS} >= {
        "fp32",
        "prefix",
        "prefix_proj",
        "int4qe",
    }


@pytest.mark.parametrize("case", cases("cases", "logits"), ids=str)
def test_logits_with_eager_attention(models: Any, case: Case) -> None:
    close(run(models(case.model, case.variant), case).logits, case.get("logits"), LOGITS)


@pytest.mark.parametrize("case", cases("cases", "logits"), ids=str)
def test_logits_of_real_rows_with_sdpa(models: Any, case: Case) -> None:
    logits, real = run(models(case.model, case.variant, "sdpa"), case).logits, real_rows(case)
    close(logits[real], case.get("logits")[real], LOGITS)


@pytest.mark.parametrize("case", cases("cases", "layer_output.0"), ids=str)
def test_states_of_every_layer(models: Any, case: Case) -> None:
    model, raw = models(case.model, case.variant), []
    hooks = [
        block.register_forward_hook(lambda _, __, out: raw.append(out[0]))
        for block in model.transformer.layers
    ]
    states = run(model, case, output_hidden_states=True).hidden_states
    for hook in hooks:
        hook.remove()
    close(sequence_first(states[0]), case.get("hidden_states.first_embeddings"), LOGITS)
    close(sequence_first(states[-1]), case.get("hidden_states.last_after_final_layernorm"), LOGITS)
    assert len(states) == len(raw) + 1
    for index, output in enumerate(raw):
        close(sequence_first(output), case.get(f"layer_output.{index}"), LOGITS)


@pytest.mark.parametrize("case", cases("cases", "attention_probs.0"), ids=str)
def test_attention_probabilities(models: Any, case: Case) -> None:
    found = run(models(case.model, case.variant), case, output_attentions=True).attentions
    for index, probabilities in enumerate(found):
        close(probabilities.flatten(0, 1), case.get(f"attention_probs.{index}"), LOGITS)


@pytest.mark.parametrize("case", cases("cases", "past_key.0"), ids=str)
def test_the_cache_holds_prefix_and_rotated_keys(models: Any, case: Case) -> None:
    cache = run(models(case.model, case.variant), case, use_cache=True).past_key_values
    for index, layer in enumerate(cache.layers):
        close(layer.keys.permute(2, 0, 1, 3), case.get(f"past_key.{index}"), LOGITS)
        close(layer.values.permute(2, 0, 1, 3), case.get(f"past_value.{index}"), LOGITS)


def one_by_one(model: Any, inputs: dict[str, torch.Tensor], start: int) -> torch.Tensor:
    """Logits of the first ``start`` tokens at once and of each later one alone."""
    ids, mask, places = (inputs[name] for name in ("input_ids", "attention_mask", "position_ids"))
    cache, parts = DynamicCache(), []
    for begin, end in [(0, start), *((here, here + 1) for here in range(start, ids.shape[1]))]:
        output = model(
            input_ids=ids[:, begin:end],
            attention_mask=mask[:, :, begin:end, :end],
            position_ids=places[:, :, begin:end],
            past_key_values=cache,
        )
        parts.append(output.logits)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("case", cases("cases", "cached_logits_mask"), ids=str)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_cached_decoding(models: Any, case: Case, attention: str) -> None:
    model, real = models(case.model, case.variant, attention), real_rows(case)
    start = 1 + int((case.get("input_ids") == model.config.bos_token_id).int().argmax(dim=1).max())
    with torch.inference_mode():
        logits = one_by_one(model, case.inputs(), start)
        whole = model(**case.inputs()).logits
    close(logits[real], case.get("cached_logits_mask")[real], LOGITS)
    close(logits[real], whole[real], LOGITS)


@pytest.mark.parametrize("case", cases("cases", "loss_labels"), ids=str)
@pytest.mark.parametrize("labels", ["labels", "labels_no_sop"])
def test_losses(models: Any, case: Case, labels: str) -> None:
    if case.has(labels):
        loss = run(models(case.model, case.variant, "sdpa"), case, labels=case.get(labels)).loss
        close(loss, case.get(f"loss_{labels}"), LOSS)


GRADIENT_CASES = [
    (case, labels)
    for case in cases("cases", "loss_labels", "prefix", "prefix_proj")
    for labels in ("labels", "labels_no_sop")
    if case.items(f"grad_{labels}/")
]


@pytest.mark.parametrize(("case", "labels"), GRADIENT_CASES, ids=str)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_prefix_gradients(models: Any, case: Case, labels: str, attention: str) -> None:
    model = models(case.model, case.variant, attention)
    model.zero_grad()
    model(**case.inputs(), labels=case.get(labels)).loss.backward()
    parameters = dict(model.named_parameters())
    for item in case.items(f"grad_{labels}/"):
        close(parameters[item.removeprefix(f"grad_{labels}/")].grad, case.get(item), GRADIENT)


@pytest.mark.parametrize(
    ("model", "variant"), [pair for pair in data.VARIANTS if pair[1].startswith("prefix")]
)
def test_only_the_prefix_is_trained(models: Any, model: str, variant: str) -> None:
    trained = [
        name for name, part in models(model, variant).named_parameters() if part.requires_grad
    ]
    assert trained and all(name.startswith("transformer.prefix_encoder.") for name in trained)


@pytest.mark.parametrize(
    ("model", "variant"), [pair for pair in data.VARIANTS if pair[1].startswith("prefix")]
)
def test_what_the_prefix_hands_to_each_layer(models: Any, model: str, variant: str) -> None:
    encoder, found = (
        models(model, variant).transformer.prefix_encoder,
        data.arrays(f"{model}_{variant}_cases"),
    )
    close(encoder()[None], torch.from_numpy(found["prompt/encoder_output"]), LOGITS)
    slots = encoder.slots(2, torch.float32).permute(0, 3, 1, 2, 4)
    for index in range(encoder.shape[0] // 2):
        close(
            slots[2 * index : 2 * index + 2],
            torch.from_numpy(found[f"prompt/layer.{index}"]),
            LOGITS,
        )


@pytest.fixture(scope="session", params=KERNELS)
def packed_with_prefix(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Any:
    """Letter -> the int4-qe model behind the prefix without a projection."""
    kept: dict[str, Any] = {}

    def get(model: str) -> Any:
        if model not in kept:
            kept[model] = data.load(
                model, "int4qe", tmp_path_factory.mktemp("golden"), kernel=request.param
            )
            assert kept[model].kernel == request.param
            kept[model].load_prefix(data.GOLDEN / f"{model}_prefix_encoder.safetensors")
        return kept[model]

    return get


def prefixed(model: str, name: str) -> Case:
    return Case(model, "int4qe", f"prefix/{name}", "cases")


@pytest.mark.parametrize("case", cases("cases", "logits", "int4qe"), ids=str)
def test_logits_of_int4_with_a_prefix(packed_with_prefix: Any, case: Case) -> None:
    wanted = prefixed(case.model, case.name)
    if wanted.has("logits"):
        logits, real = run(packed_with_prefix(case.model), case).logits, real_rows(case)
        close(logits[real], wanted.get("logits")[real], LOGITS)


@pytest.mark.parametrize("case", cases("cases", "loss_labels", "int4qe"), ids=str)
@pytest.mark.parametrize("labels", ["labels", "labels_no_sop"])
def test_gradients_through_int4(packed_with_prefix: Any, case: Case, labels: str) -> None:
    model, wanted = packed_with_prefix(case.model), prefixed(case.model, case.name)
    model.zero_grad()
    loss = model(**case.inputs(), labels=case.get(labels)).loss
    loss.backward()
    close(loss.detach(), wanted.get(f"loss_{labels}"), LOSS)
    name = "transformer.prefix_encoder.embedding.weight"
    close(model.get_parameter(name).grad, wanted.get(f"grad_{labels}/{name}"), GRADIENT)


@pytest.mark.parametrize("model", data.MODELS)
@pytest.mark.parametrize(
    ("item", "bits", "embeddings"),
    [("logits_int4_layers_only", 4, False), ("logits_int8_qe", 8, True)],
)
def test_other_storage_forms_quantized_on_load(
    model: str, item: str, bits: int, embeddings: bool, tmp_path: Path
) -> None:
    settings = {"quantization_bit": bits, "quantization_embeddings": embeddings}
    case = next(case for case in cases("cases", "logits", "int4qe") if case.has(item))
    close(run(data.load(model, "fp32", tmp_path, **settings), case).logits, case.get(item), LOGITS)


@pytest.mark.parametrize("model", data.MODELS)
def test_quantizing_on_load_gives_the_originals_bytes_and_scales(
    models: Any, model: str, tmp_path: Path
) -> None:
    made = data.load(
        model, "fp32", tmp_path, quantization_bit=4, quantization_embeddings=True
    ).state_dict()
    stored = models(model, "int4qe").state_dict()
    assert made.keys() == stored.keys()
    assert [name for name, part in stored.items() if not torch.equal(part, made[name])] == []


def greedy(model: Any, inputs: dict[str, torch.Tensor], count: int) -> torch.Tensor:
    """The continuation, padded with 3 to ``count`` new tokens."""
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=count)
    return functional.pad(
        ids,
        (0, inputs["input_ids"].shape[1] + count - ids.shape[1]),
        value=model.config.pad_token_id,
    )


@pytest.mark.parametrize("case", cases("generate", "sequences"), ids=str)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_greedy_ids(models: Any, case: Case, attention: str) -> None:
    wanted, inputs = case.get("sequences"), case.inputs()
    count = wanted.shape[1] - inputs["input_ids"].shape[1]
    assert torch.equal(greedy(models(case.model, case.variant, attention), inputs, count), wanted)


@pytest.mark.parametrize("case", cases("generate", "sequences", "int4qe"), ids=str)
def test_greedy_ids_of_int4_with_a_prefix(packed_with_prefix: Any, case: Case) -> None:
    wanted = Case(case.model, case.variant, f"prefix/{case.name}", case.file).get("sequences")
    count = wanted.shape[1] - case.get("input_ids").shape[1]
    assert torch.equal(greedy(packed_with_prefix(case.model), case.inputs(), count), wanted)


@pytest.mark.parametrize("case", cases("generate", "top5_ids"), ids=str)
def test_the_five_best_of_each_step(models: Any, case: Case) -> None:
    ids, wanted = case.inputs(), case.get("top5_logits")
    output = models(case.model, case.variant).generate(
        **ids,
        do_sample=False,
        max_new_tokens=wanted.shape[1],
        output_logits=True,
        return_dict_in_generate=True,
    )
    best = torch.stack(output.logits, dim=1).topk(wanted.shape[2])
    close(best.values, wanted, LOGITS)
    assert torch.equal(best.indices, case.get("top5_ids"))


@pytest.mark.parametrize(
    "case", [case for case in cases("generate", "sequences") if case.has("attention_mask")], ids=str
)
def test_left_padded_rows_equal_the_rows_alone(models: Any, case: Case) -> None:
    model, ids = models(case.model, case.variant, "sdpa"), case.get("input_ids")
    together = run(model, case).logits[:, -1]
    for row, alone in enumerate(ids):
        start = int((alone != model.config.pad_token_id).int().argmax())
        with torch.inference_mode():
            close(model(input_ids=ids[row : row + 1, start:]).logits[0, -1], together[row], LOGITS)


@pytest.mark.parametrize(
    "case", [case for case in cases("generate", "sequences") if case.has("attention_mask")], ids=str
)
def test_padding_is_found_without_a_mask_and_with_the_usual_one(models: Any, case: Case) -> None:
    model, ids, wanted = (
        models(case.model, case.variant),
        case.get("input_ids"),
        case.get("sequences"),
    )
    count = wanted.shape[1] - ids.shape[1]
    usual = (ids != model.config.pad_token_id).long()
    assert torch.equal(greedy(model, {"input_ids": ids}, count), wanted)
    assert torch.equal(greedy(model, {"input_ids": ids, "attention_mask": usual}, count), wanted)


@pytest.mark.parametrize("number", range(len(data.read("masks_positions"))))
def test_masks_and_positions_that_the_model_builds(number: int) -> None:
    row = data.read("masks_positions")[number]
    config, ids = (
        ChatGLMConfig(**data.read(f"{data.MODELS[0]}_config")["config"]),
        torch.tensor(row["input_ids"]),
    )
    if "error" in row:
        with pytest.raises(ValueError, match="have no (sop|.g?MASK)"):
            positions.token_positions(ids, config)
        return
    places = positions.token_positions(ids, config)
    blocked = positions.blocked_mask(places[:, 1])
    assert blocked is not None and places.tolist() == row["position_ids"]
    assert blocked[:, 0].int().tolist() == row["attention_mask_true_is_blocked"]


@pytest.mark.parametrize("size", ["dim8", "dim64"])
@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("fp16", torch.float16)])
def test_rotary_tables(size: str, name: str, dtype: torch.dtype) -> None:
    unit = {key: torch.from_numpy(part) for key, part in data.arrays("rotary_gelu_unit").items()}
    width = int(size.removeprefix("dim"))
    frequencies = positions.inverse_frequencies(width, torch.device("cpu"))
    assert torch.equal(frequencies, unit[f"{size}/inv_freq_as_stored_fp16"])
    places = unit["positions"].expand(1, 2, -1)
    tables = positions.rotary_tables(places, head_dim=2 * width, dtype=dtype)
    for table, kind in zip(tables, ("cos", "sin"), strict=True):
        for half in table[0, 0].chunk(2, dim=-1):
            assert torch.equal(half, unit[f"{size}/{kind}_{name}"])


def test_rotation_of_queries_and_keys() -> None:
    unit = {key: torch.from_numpy(part) for key, part in data.arrays("rotary_gelu_unit").items()}
    width = unit["apply/q"].shape[-1]
    tables = positions.rotary_tables(
        unit["apply/position_ids"], head_dim=width, dtype=torch.float32
    )
    for name in ("q", "k"):
        turned = positions.rotate(unit[f"apply/{name}"].permute(1, 2, 0, 3), *tables)
        close(turned.permute(2, 0, 1, 3), unit[f"apply/{name}_rot"], 1e-6)


def test_gelu() -> None:
    unit = data.arrays("rotary_gelu_unit")
    got = functional.gelu(torch.from_numpy(unit["gelu/x"]), approximate="tanh")
    close(got, torch.from_numpy(unit["gelu/y"]), 1e-6)


@pytest.mark.parametrize(
    "entry", data.read("quant_unit")["entries"], ids=lambda entry: entry["name"]
)
def test_quantization_byte_by_byte(entry: dict[str, Any]) -> None:
    unit, bits = data.arrays("quant_unit"), entry["bits"]
    given = {
        key: torch.from_numpy(unit[f"{entry['name']}/{key}"])
        for key in ("weight", "packed", "scale", "dequant")
    }
    weight = given["weight"].to(getattr(torch, entry["weight_dtype"].removeprefix("torch.")))
    packed, scale = q.quantize(weight, bits=bits)
    assert torch.equal(packed, given["packed"]) and torch.equal(scale, given["scale"])
    assert torch.equal(
        q.dequantize(packed, scale, bits=bits, dtype=torch.float32), given["dequant"]
    )
    if bits == 4:
        assert torch.equal(q.unpack(packed), torch.from_numpy(unit[f"{entry['name']}/q"]))
    x, wanted = (torch.from_numpy(unit[f"{entry['name']}/{key}"]) for key in "xy")
    for kernel in KERNELS:
        layer = PackedLinear(x.shape[1], len(packed), bias=False, bits=bits)
        layer.load_state_dict({"weight": packed, "weight_scale": scale}, assign=True)
        layer.use(kernels.choose(CPU, bits=bits, wanted=kernel))
        close(layer(x), wanted, LOGITS * max(1.0, float(wanted.abs().max())))


def test_all_bytes_and_all_nibble_pairs() -> None:
    unit = {key: torch.from_numpy(part) for key, part in data.arrays("quant_unit").items()}
    packed, scale = unit["all_bytes/packed"], unit["all_bytes/scale"]
    for bits in (4, 8):
        expanded = q.dequantize(packed, scale, bits=bits, dtype=torch.float32)
        assert torch.equal(expanded, unit[f"all_bytes/dequant_int{bits}"])
    assert torch.equal(q.pack(unit["all_pairs/values"]), unit["all_pairs/packed"])
    assert torch.equal(q.unpack(unit["all_pairs/packed"]), unit["all_pairs/values"])


def test_a_row_of_zeros() -> None:
    unit = {key: torch.from_numpy(part) for key, part in data.arrays("quant_unit").items()}
    packed, scale = q.quantize(unit["zero_row/weight"], bits=4)
    assert torch.equal(packed, unit["zero_row/packed"]) and torch.equal(
        scale, unit["zero_row/scale"]
    )
    expanded = q.dequantize(packed, scale, bits=4, dtype=torch.float32)
    assert torch.equal(expanded, unit["zero_row/dequant"])


def test_embedding_look_up() -> None:
    unit = {key: torch.from_numpy(part) for key, part in data.arrays("quant_unit").items()}
    layer = PackedEmbedding(*unit["embedding/weight"].shape, bits=4)
    layer.load_state_dict(
        {"weight": unit["embedding/packed"], "weight_scale": unit["embedding/scale"]}
    )
    assert torch.equal(layer(unit["embedding/ids"]), unit["embedding/out"])


def test_an_odd_number_of_columns_is_refused() -> None:
    with pytest.raises(AssertionError, match="4 bits need an even number of columns, not 3"):
        q.quantize(torch.ones(2, 3), bits=4)


@pytest.mark.parametrize("name", SIZES)
def test_state_dict_keys_and_shapes_at_full_size(name: str) -> None:
    config = ChatGLMConfig(
        quantization_bit=4 * ("int4" in name), quantization_embeddings="qe" in name
    )
    with torch.device("meta"):
        model = ChatGLMForConditionalGeneration(config)
    ours = {
        key: [list(part.shape), part.dtype == torch.int8]
        for key, part in model.state_dict().items()
    }
    theirs = {
        key.replace("{0..27}", str(layer)): [shape, dtype == "int8"]
        for key, (shape, dtype) in data.read("keys_6b")[name]["keys"].items()
        for layer in range(28)
        if not key.endswith("inv_freq")
    }
    assert ours == theirs


TOKENS = data.read("tokenizer")


@needs_ice_text
@pytest.mark.parametrize("row", TOKENS["strings"], ids=lambda row: repr(row["text"])[:40])
def test_ids_and_text_of_a_string(ice_text: Any, row: dict[str, Any]) -> None:
    text = row["text"]
    assert ice_text.tokenize(text) == row["tokens"]
    assert ice_text(text).input_ids == row["ids"]
    assert ice_text.encode(text, add_special_tokens=False) == row["ids_no_special"]
    assert ice_text(text, row["pair_text"]).input_ids == row["pair_ids"]
    assert ice_text.decode(row["ids"]) == row["decode_ids"]
    assert ice_text.decode(row["ids_no_special"]) == row["decode_ids_no_special"]
    assert ice_text.decode(row["ids"], skip_special_tokens=True) == row["decode_skip_special_true"]


@needs_ice_text
@pytest.mark.parametrize("case", TOKENS["decode_cases"], ids=lambda case: str(case["ids"])[:40])
def test_decoding(ice_text: Any, case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(IndexError, match="have no piece, the vocabulary ends at 130343"):
            ice_text.decode(case["ids"])
        assert "\ufffd" in ice_text.decode(case["ids"], errors="replace")
    else:
        assert (
            ice_text.decode(case["ids"])
            == case["text"]
            == ice_text.decode(case["ids"], errors="replace")
        )


@needs_ice_text
def test_decoding_a_growing_answer(ice_text: Any) -> None:
    stream = TOKENS["stream_decode"]
    texts = [ice_text.decode(stream["ids"][:count]) for count in range(len(stream["ids"]) + 1)]
    assert texts == stream["prefix_texts"] or texts[1:] == stream["prefix_texts"]


@needs_ice_text
@pytest.mark.parametrize(
    "row", TOKENS["build_inputs_with_special_tokens"], ids=lambda row: f"{row['a']}+{row['b']}"
)
def test_special_tokens_around_ids(ice_text: Any, row: dict[str, Any]) -> None:
    given = list(row["a"])
    assert ice_text.build_inputs_with_special_tokens(given, row["b"]) == row["out"]
    assert given == row["a"]


@needs_ice_text
@pytest.mark.parametrize("name", TOKENS["batches"])
def test_batches(ice_text: Any, name: str) -> None:
    batch, wanted = TOKENS["batches"][name], data.arrays("tokenizer_batch")
    got = ice_text(batch["texts"], batch["pairs"], **batch["call_kwargs"])
    assert sorted(got) == batch["keys"]
    for key in batch["keys"]:
        array = np.array(got[key])
        assert array.dtype == wanted[f"{name}.{key}"].dtype
        np.testing.assert_array_equal(array, wanted[f"{name}.{key}"])


@needs_ice_text
def test_batches_as_tensors(ice_text: Any) -> None:
    got = ice_text(["你好", "来了。"], padding=True, return_tensors="pt")
    assert got["attention_mask"].dtype == torch.bool and got["attention_mask"].shape[1] == 1
    assert got["position_ids"].shape == (2, 2, got["input_ids"].shape[1])


@needs_ice_text
def test_ids_and_sizes_of_the_vocabulary(ice_text: Any) -> None:
    meta = TOKENS["meta"]
    assert (ice_text.vocab_size, len(ice_text)) == (meta["vocab_size_property"], meta["len"])
    assert sorted(ice_text.all_special_tokens) == meta["all_special_tokens"]
    assert sorted(ice_text.all_special_ids) == meta["all_special_ids"]
    for name, number in meta["special_token_ids"].items():
        assert getattr(ice_text, f"{name}_id") == number
    for piece, number in meta["piece_to_id"].items():
        assert ice_text.convert_tokens_to_ids(piece) == number
    for number, piece in meta["id_to_piece"].items():
        assert ice_text.convert_ids_to_tokens(int(number)) == piece
    for kind, count in meta["num_special_tokens_to_add"].items():
        assert ice_text.num_special_tokens_to_add(pair=kind == "pair") == count


@pytest.mark.parametrize(
    "row", data.read("chat")["process_response"], ids=lambda row: repr(row["inp"])
)
def test_response_clean_up(row: dict[str, str]) -> None:
    assert clean_response(row["inp"]) == row["out"]
