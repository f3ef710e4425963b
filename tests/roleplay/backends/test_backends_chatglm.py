"""The local backend with ChatGLM: the prompt in one piece, candidates from one prefill."""

from pathlib import Path
from typing import Any

import pytest
import tiny_glm
import torch

from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, save_adapter
from roleplay.adapters.lora import new_lora
from roleplay.adapters.native_prefix import new_native_prefix
from roleplay.backends.base import generate
from roleplay.backends.local import LocalBackend
from roleplay.errors import PromptError
from roleplay.models import causal, loading
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams, decode

PROMPT = Prompt(("【雨停了。】\n", "小舟：", "船来了。\n", "阿灯："))
GREEDY = SamplingParams(repetition_penalty=1, temperature=0, max_new_tokens=12)
WILD = SamplingParams(temperature=2, top_p=1, max_new_tokens=12, seed=5)


@pytest.fixture(scope="module")
def base(glm_home: Path) -> LocalBackend:
    return LocalBackend.load(str(glm_home))


@pytest.fixture(scope="module")
def checkpoint(glm_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix of 4 random positions, in both forms."""
    model, folder = (
        loading.load_causal(str(glm_home)),
        tmp_path_factory.mktemp("adapter") / "prefix",
    )
    torch.manual_seed(1)
    info = AdapterInfo(kind="prefix", base=BaseModelInfo.of(model, "tiny-chatglm"), pre_seq_len=4)
    new_native_prefix(model, length=4)
    save_adapter(model, folder, info, original=True)
    return folder


@pytest.fixture(scope="module")
def prefixed(glm_home: Path, checkpoint: Path) -> LocalBackend:
    return LocalBackend.load(str(glm_home), checkpoint)


@pytest.fixture(params=["base", "prefixed"])
def backend(request: pytest.FixtureRequest) -> LocalBackend:
    found: LocalBackend = request.getfixturevalue(request.param)
    return found


def test_the_prompt_is_encoded_in_one_piece(base: LocalBackend, pieces: Any) -> None:
    plain = pieces.encode(PROMPT.text, add_special_tokens=False)
    assert base.encode(PROMPT)[0].tolist() == [*plain, pieces.gmask_token_id, pieces.bos_token_id]
    assert base.count(PROMPT.text) == len(plain)


def test_an_empty_prompt_is_the_mask_token_and_sop(base: LocalBackend, pieces: Any) -> None:
    assert base.encode(Prompt(()))[0].tolist() == [pieces.gmask_token_id, pieces.bos_token_id]
    assert len(generate(base, Prompt(("",)), n=2, params=WILD)) == 2


@pytest.mark.parametrize("typed", ["[gMASK]", "<sop>", "[MASK]", "<eop>", "<pad>", "[sMASK]"])
def test_special_tokens_that_a_user_types_are_characters(
    base: LocalBackend, pieces: Any, typed: str
) -> None:
    ids = base.encode(Prompt((f"问：{typed}灯{typed}\n", "阿灯：")))[0].tolist()
    special = {
        *pieces.all_special_ids,
        pieces.gmask_token_id,
        pieces.convert_tokens_to_ids("[sMASK]"),
    } - {0}
    assert [token for token in ids if token in special] == [
        pieces.gmask_token_id,
        pieces.bos_token_id,
    ]
    assert typed in pieces.decode(ids)
    assert base.count(f"{typed}灯") > base.count("灯") + 2


def test_candidates_of_one_prefill_equal_separate_runs(backend: LocalBackend) -> None:
    ids = backend.encode(PROMPT)
    *_, alone = backend.decode(ids, n=1, params=GREEDY)
    *_, together = backend.decode(ids, n=3, params=GREEDY)
    assert together == alone * 3 and len(alone[0]) > 3


def test_rows_that_outlive_others_are_as_if_alone(backend: LocalBackend) -> None:
    ids = backend.encode(PROMPT)
    seen: list[torch.Tensor] = []
    hook = causal.head(backend.model).register_forward_hook(
        lambda module, args, output: seen.append(output)
    )
    with torch.inference_mode():
        *_, rows = backend.decode(ids, n=5, params=WILD)
    hook.remove()
    for step, scores in enumerate(seen[1:], 1):
        alone = [
            torch.cat([ids, torch.tensor([row[:step]])], dim=1) for row in rows if len(row) > step
        ]
        expected = torch.cat(
            [backend.step(whole, causal.new_cache(backend.model)) for whole in alone]
        )
        torch.testing.assert_close(scores[:, : expected.shape[1]], expected, atol=1e-4, rtol=1e-4)


def test_the_reply_is_that_of_generate(backend: LocalBackend) -> None:
    *_, (row,) = backend.decode(backend.encode(PROMPT), n=1, params=GREEDY)
    ids = backend.encode(PROMPT)
    own = backend.model.generate(ids, do_sample=False, max_new_tokens=len(row))[0, ids.shape[1] :]
    assert own.tolist() == row


def test_a_stream_grows(base: LocalBackend) -> None:
    snapshots = list(base.stream(PROMPT, n=2, params=WILD))
    assert len(snapshots) > 3 and snapshots[-1] == generate(base, PROMPT, n=2, params=WILD)
    assert sum(map(len, snapshots[0])) < sum(map(len, snapshots[-1]))


def test_the_prefix_is_inserted_once_and_takes_no_context(
    base: LocalBackend, prefixed: LocalBackend
) -> None:
    assert (prefixed.prefix_length, prefixed.context) == (0, base.context) == (0, 64)
    cache = causal.new_cache(prefixed.model)
    prefixed.step(prefixed.encode(PROMPT), cache)
    assert cache.get_seq_length() == 4 + prefixed.encode(PROMPT).shape[1]
    assert generate(prefixed, PROMPT, n=2, params=WILD) != generate(base, PROMPT, n=2, params=WILD)


def test_the_originals_form_gives_the_same_replies(
    prefixed: LocalBackend, checkpoint: Path, glm_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes((checkpoint / "pytorch_model.bin").read_bytes())
    loaded = LocalBackend.load(str(glm_home), tmp_path)
    assert generate(loaded, PROMPT, n=3, params=WILD) == generate(
        prefixed, PROMPT, n=3, params=WILD
    )


def test_lora_over_packed_weights_stays_wrapped(glm_home: Path, tmp_path: Path) -> None:
    model = loading.load_causal(str(glm_home), quantization_bit=4)
    info = AdapterInfo(kind="lora", base=BaseModelInfo.of(model, "tiny-chatglm"))
    peft_model = new_lora(model, rank=2)
    for part in peft_model.parameters():
        if part.requires_grad:
            part.detach().normal_().copy_(part.bfloat16())
    save_adapter(peft_model, tmp_path / "lora", info)
    loaded = LocalBackend.load(str(glm_home), tmp_path / "lora", quantization_bit=4)
    packed = LocalBackend.load(str(glm_home), quantization_bit=4)
    wanted = generate(
        LocalBackend(peft_model.eval(), packed.tokenizer, adapter=info), PROMPT, n=1, params=WILD
    )
    assert generate(loaded, PROMPT, n=1, params=WILD) == wanted
    assert generate(packed, PROMPT, n=1, params=WILD) != wanted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("没得商量!", "没得商量！"),
        ("好,走. \\emoji 微怒", "好，走. \\emoji 微怒"),
        ("\\me 旋过身,刀光一闪", "\\me 旋过身，刀光一闪"),
        ("OK, 12:30!", "OK, 12:30!"),
        (" 灯亮着\n小舟:别", "灯亮着"),
    ],
)
def test_a_reply_has_its_full_width_marks_back(pieces: Any, text: str, shown: str) -> None:
    assert causal.reply_text(pieces, pieces.text_ids(text)) == shown


def test_half_a_character_is_not_shown(pieces: Any) -> None:
    ids = pieces.text_ids("灯龘")
    assert causal.reply_text(pieces, ids) == "灯龘"
    assert [causal.reply_text(pieces, ids[:end]) for end in (-1, -2)] == ["灯", "灯"]


@pytest.mark.parametrize("piece", ["<eop>", "<n>"])
def test_a_reply_ends_at_eop_or_at_the_newline_piece(
    base: LocalBackend, pieces: Any, piece: str
) -> None:
    ids = [*pieces.text_ids("灯"), pieces.convert_tokens_to_ids(piece)]
    assert base.ends(ids) and not base.ends(ids[:-1])
    assert causal.reply_text(pieces, ids) == "灯"


def test_rows_of_the_head_without_a_piece_are_never_sampled(pieces: Any) -> None:
    """All but the 8 rows without a piece are forbidden; what is drawn still has one."""
    model = tiny_glm.model(pieces)
    model.transformer.final_layernorm.bias.data.fill_(1.0)
    model.lm_head.weight.data[len(pieces) :] = 99.0
    backend = LocalBackend(model, pieces)
    logits = backend.step(backend.encode(PROMPT), causal.new_cache(model))
    assert logits.shape == (1, len(pieces)) and model.config.vocab_size == len(pieces) + 8
    *_, rows = decode(
        lambda ids, kept: logits, logits, n=1, params=GREEDY, is_done=lambda ids: True
    )
    assert rows[0][0] < len(pieces)


def test_a_prompt_longer_than_the_model(base: LocalBackend) -> None:
    prompt = Prompt(("灯" * 80,))
    count = base.encode(prompt).shape[1]
    message = f"the prompt has {count} tokens and the reply may take 12, tiny-chatglm holds 64: "
    message += "shorten the prompt"
    with pytest.raises(PromptError, match=message):
        generate(base, prompt, n=1, params=GREEDY)


def test_a_prompt_that_just_fits(base: LocalBackend) -> None:
    prompt = Prompt(("灯" * (64 - 12 - 3),))
    assert base.encode(prompt).shape[1] + 12 == 64
    assert len(generate(base, prompt, n=1, params=GREEDY)) == 1
