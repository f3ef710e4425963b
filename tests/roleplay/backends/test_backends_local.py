"""The local backend: n candidates from one prefill, each the same as alone."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, save_adapter
from roleplay.adapters.lora import new_lora
from roleplay.adapters.prefix import new_prefix
from roleplay.backends.base import generate
from roleplay.backends.local import LocalBackend
from roleplay.errors import PromptError, SamplingError
from roleplay.models import causal, loading
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams

PROMPT = Prompt(("【雨停了。】\n", "小舟：", "船来了。\n", "阿灯："))
GREEDY = SamplingParams(repetition_penalty=1, temperature=0, max_new_tokens=24)
WILD = SamplingParams(temperature=1, top_p=1, max_new_tokens=24, seed=5)


def adapter_folder(model_folder: Path, kind: str, folder: Path) -> Path:
    """A checkpoint of random weights, strong enough to be seen."""
    model = loading.load_causal(str(model_folder))
    info = AdapterInfo(kind=kind, base=BaseModelInfo.of(model, str(model_folder)), pre_seq_len=4)
    torch.manual_seed(1)
    peft_model = new_prefix(model, length=4) if kind == "prefix" else new_lora(model, rank=2)
    for parameter in peft_model.parameters():
        if parameter.requires_grad:
            parameter.detach().normal_()
    save_adapter(peft_model, folder, info)
    return folder


@pytest.fixture(scope="module")
def base(gemma_folder: Path) -> LocalBackend:
    return LocalBackend.load(str(gemma_folder))


@pytest.fixture(scope="module")
def prefixed(gemma_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalBackend:
    folder = adapter_folder(gemma_folder, "prefix", tmp_path_factory.mktemp("adapter"))
    return LocalBackend.load(str(gemma_folder), folder)


@pytest.fixture(params=["base", "prefixed"])
def backend(request: pytest.FixtureRequest) -> LocalBackend:
    found: LocalBackend = request.getfixturevalue(request.param)
    return found


def test_segments_are_encoded_after_the_first_token(base: LocalBackend, tokenizer: Any) -> None:
    assert tokenizer.decode(base.encode(PROMPT)[0]) == "<bos>" + PROMPT.text
    assert base.count(PROMPT.text) == len(PROMPT.text)


def test_candidates_of_one_prefill_equal_separate_runs(backend: LocalBackend) -> None:
    together = generate(backend, PROMPT, n=3, params=GREEDY)
    alone = [generate(backend, PROMPT, n=1, params=GREEDY)[0] for _ in range(3)]
    assert together == alone
    assert len(together[0]) > 8, "past the window, or the prefix is not tried"


def test_the_greedy_reply_equals_a_pass_over_the_whole_text(backend: LocalBackend) -> None:
    ids = backend.encode(PROMPT)
    *_, (row,) = backend.decode(ids, n=1, params=GREEDY)
    whole = torch.cat([ids, torch.tensor([row])], dim=1)
    scores = torch.cat(
        [
            backend.step(whole[:, :end], _past(backend))
            for end in range(ids.shape[1], whole.shape[1])
        ]
    )
    assert scores.argmax(dim=1).tolist() == row


def _past(backend: LocalBackend) -> Any:
    cache = causal.new_cache(backend.model)
    for layer, (keys, values) in enumerate(backend._prefix):
        cache.update(keys, values, layer)
    return cache


def test_five_candidates_share_one_prefill(backend: LocalBackend) -> None:
    shapes: list[tuple[int, ...]] = []
    body = causal.body(backend.model)
    hook = body.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    generate(backend, PROMPT, n=5, params=WILD)
    hook.remove()
    assert shapes[0] == (1, len(PROMPT.text) + 1)
    assert len(shapes) > 5 and {width for _, width in shapes[1:]} == {1}


def test_rows_that_outlive_others_are_as_if_alone(backend: LocalBackend) -> None:
    ids = backend.encode(PROMPT)
    seen: list[torch.Tensor] = []
    hook = causal.head(backend.model).register_forward_hook(
        lambda module, args, output: seen.append(output)
    )
    with torch.inference_mode():
        *_, rows = backend.decode(ids, n=5, params=WILD)
    hook.remove()
    assert len({len(row) for row in rows}) > 2, "rows must end at different times"
    for step, scores in enumerate(seen[1:], 1):
        living = [row for row in rows if len(row) > step]
        alone = [torch.cat([ids, torch.tensor([row[:step]])], dim=1) for row in living]
        expected = torch.cat([backend.step(whole, _past(backend)) for whole in alone])
        torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_texts(backend: LocalBackend) -> None:
    first = generate(backend, PROMPT, n=3, params=WILD)
    assert generate(backend, PROMPT, n=3, params=WILD) == first
    assert generate(backend, PROMPT, n=3, params=WILD.model_copy(update={"seed": 6})) != first
    assert len(set(first)) == 3


def test_a_stream_grows(base: LocalBackend) -> None:
    snapshots = list(base.stream(PROMPT, n=2, params=WILD))
    for before, after in itertools.pairwise(snapshots):
        assert all(new.startswith(old) for old, new in zip(before, after, strict=True))
    assert [len(text) for text in snapshots[0]] == [1, 1]


@pytest.fixture(scope="module")
def alphabet() -> LocalBackend:
    """Goes on with the next letter; a line ends after c, and all after f."""
    return LocalBackend(tiny.successor({"c": "\n", "f": "<eos>"}), tiny.tokenizer())


@pytest.mark.parametrize(
    ("start", "reply", "steps"), [("a", "bc", 3), ("d", "ef", 3), ("c", "", 1), ("f", "", 1)]
)
def test_a_reply_ends_at_a_line_break_or_the_end_of_text(
    alphabet: LocalBackend, start: str, reply: str, steps: int
) -> None:
    snapshots = list(alphabet.stream(Prompt((start,)), n=2, params=GREEDY))
    assert snapshots[-1] == [reply, reply]
    assert len(snapshots) == steps


def test_a_reply_ends_at_its_last_token(alphabet: LocalBackend) -> None:
    params = SamplingParams(temperature=0, max_new_tokens=1)
    assert list(alphabet.stream(Prompt(("a",)), n=2, params=params)) == [["b", "b"]]


@pytest.mark.parametrize("kind", ["prefix", "lora"])
def test_an_adapter_changes_the_reply(
    kind: str, base: LocalBackend, gemma_folder: Path, tmp_path: Path
) -> None:
    adapted = LocalBackend.load(
        str(gemma_folder), adapter_folder(gemma_folder, kind, tmp_path / kind)
    )
    assert adapted.adapter is not None and adapted.adapter.kind == kind
    assert (adapted.prefix_length, adapted.context) == ((4, 252) if kind == "prefix" else (0, 256))
    assert generate(adapted, PROMPT, n=1, params=GREEDY) != generate(
        base, PROMPT, n=1, params=GREEDY
    )


def test_a_merged_lora_says_what_the_peft_model_says(gemma_folder: Path, tmp_path: Path) -> None:
    from roleplay.adapters.checkpoint import load_adapter

    folder = adapter_folder(gemma_folder, "lora", tmp_path / "lora")
    backend = LocalBackend.load(str(gemma_folder), folder)
    peft_model, _ = load_adapter(loading.load_causal(str(gemma_folder)), folder, name="tiny")
    ids = backend.encode(PROMPT)
    with torch.no_grad():
        expected = peft_model(input_ids=ids).logits[:, -1]
    torch.testing.assert_close(
        backend.step(ids, causal.new_cache(backend.model)), expected, atol=1e-4, rtol=1e-4
    )


def test_progress_is_told_in_both_languages(gemma_folder: Path, tmp_path: Path) -> None:
    folder, told = adapter_folder(gemma_folder, "prefix", tmp_path / "adapter"), []
    LocalBackend.load(str(gemma_folder), folder, on_progress=told.append)
    lines = ["loading the tokenizer", "loading the weights", "loading the adapter"]
    assert [one.text("en") for one in told] == lines
    assert told[-1].text("zh") == "正在载入适配器"


def test_a_too_long_prompt_is_refused_with_the_numbers(prefixed: LocalBackend) -> None:
    prompt = Prompt(("灯" * 230,))
    with pytest.raises(
        PromptError,
        match="the prompt has 231 tokens and the reply may take 24, .* holds 252: shorten",
    ):
        generate(prefixed, prompt, n=1, params=GREEDY)


def test_a_prompt_that_just_fits(prefixed: LocalBackend) -> None:
    assert len(generate(prefixed, Prompt(("灯" * 227,)), n=1, params=GREEDY)) == 1


def test_too_many_samples(base: LocalBackend) -> None:
    with pytest.raises(SamplingError, match="the number of samples must be 1 to 20, not 21"):
        generate(base, PROMPT, n=21, params=GREEDY)


@pytest.mark.parametrize("kind", [None, "prefix", "lora"])
@pytest.mark.parametrize("architecture", ["gemma", "llama"])
def test_many_prompts_at_once_get_the_replies_of_each_alone(
    architecture: str, kind: str | None, tmp_path: Path
) -> None:
    made = (
        tiny.llama()
        if architecture == "llama"
        else tiny.gemma(*["sliding_attention", "full_attention"] * 2)
    )
    folder = tiny.save(made, tmp_path / "model")
    checkpoint = adapter_folder(folder, kind, tmp_path / "adapter") if kind else None
    backend = LocalBackend.load(str(folder), checkpoint)
    prompts = [PROMPT, Prompt(("阿灯：",)), Prompt(("【天亮了。】\n" * 4, "小舟："))]
    wanted = [generate(backend, prompt, n=1, params=GREEDY)[0] for prompt in prompts]
    assert backend.reply_to_all(prompts, params=GREEDY) == wanted
    assert len(set(wanted)) > 1


def test_many_prompts_of_which_one_is_too_long(tmp_path: Path) -> None:
    backend = LocalBackend.load(str(tiny.save(tiny.llama(), tmp_path / "model")))
    with pytest.raises(PromptError, match="shorten the prompt"):
        backend.reply_to_all([PROMPT, Prompt(("灯" * backend.context,))], params=GREEDY)


def test_what_begins_as_the_prompt_before_is_not_read_again(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Prompt(("【雨停了。】\n" * 8, "小舟：", "船来了。\n", "阿灯："))
    second = Prompt((*first.segments[:-1], "阿灯：", "来了。\n", "小舟："))
    other = Prompt(("【雪停了。】\n" * 8, "小舟："))
    fresh = {one: backend.read(backend.encode(one)) for one in (other, second)}
    read: list[int] = []
    forward = causal.hidden_states

    def counted(model: Any, ids: torch.Tensor, **more: Any) -> torch.Tensor:
        read.append(ids.shape[1])
        return forward(model, ids, **more)

    monkeypatch.setattr(causal, "hidden_states", counted)
    backend.read(backend.encode(other))
    backend.read(backend.encode(first))
    cache, last = backend.read(backend.encode(second))
    assert read[2] == 7 < read[1]
    torch.testing.assert_close(last, fresh[second][1])
    for layer, known in zip(cache.layers, fresh[second][0].layers, strict=True):
        torch.testing.assert_close(layer.keys, known.keys)
    again = backend.read(backend.encode(second))[1]
    assert torch.equal(again, last) and len(read) == 3
