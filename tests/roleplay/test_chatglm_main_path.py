"""ChatGLM from a world to a reply, through the real scripts at toy size: prepare, train, play."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from roleplay.backends.base import generate
from roleplay.backends.local import LocalBackend
from roleplay.dialogue import last_reply
from roleplay.errors import AdapterError
from roleplay.messages import Message
from roleplay.models.chatglm.prefix import read_prefix
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams
from roleplay.stages.character import Choice, choose_checkpoint, load_agent
from roleplay.world import World
from scripts import prepare_seq2seq_training, test_dialogue, train_roleplaying

ROOT = Path(__file__).resolve().parents[2]
SEED_FLAGS = "--pre_seq_len 4 --max_source_length 24 --max_target_length 12 --learning_rate 0.1 "
SEED_FLAGS += "--quantization_bit 4"
FAST = "--batch 2 --max_steps 40 --eval_steps 10 --log_steps 10 --warmup_steps 2"
PROMPT = Prompt(("【天亮了。】\n", "阿灯："))
PARAMS = SamplingParams(temperature=1, top_p=1, max_new_tokens=10, seed=3)


def training(world: Path, model: Path, out: Path, *more: str) -> list[str]:
    flags = (
        f"--world {world} --model {model} --output_dir {out} {SEED_FLAGS} {FAST} --original_format"
    )
    return [*flags.split(), *more]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, glm_home: Path) -> Path:
    path = tiny.write_world(tmp_path_factory.mktemp("worlds") / "toy")
    flags = (
        f"--world {path} --model {glm_home} --scene-tokens 40 --max-source-tokens 24 --protection 0"
    )
    assert prepare_seq2seq_training.main(flags.split()) == 0
    return path


@pytest.fixture(scope="module")
def whole(world: Path, glm_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run that nobody stopped."""
    out = tmp_path_factory.mktemp("checkpoints") / "whole"
    assert train_roleplaying.main(training(world, glm_home, out)) == 0
    return out


@pytest.fixture
def original(whole: Path, tmp_path: Path) -> Path:
    """What the seed's script would have left of the same training."""
    folder = tmp_path / "original"
    folder.mkdir()
    shutil.copy(whole / "pytorch_model.bin", folder)
    return folder


def replies(model: Path, checkpoint: Path | None, bits: int = 4) -> list[str]:
    backend = LocalBackend.load(str(model), checkpoint, quantization_bit=bits)
    return generate(backend, PROMPT, n=3, params=PARAMS)


def test_lengths_are_counted_by_the_models_own_tokenizer(world: Path, pieces: Any) -> None:
    found = rows(world / "train.json") + rows(world / "test.json")
    lengths = [len(pieces.text_ids(row["prompt"])) for row in found]
    assert 15 < max(lengths) <= 24
    report = json.loads((world / "report" / "dataset.json").read_text(encoding="utf-8"))
    learnt = sum(len(pieces.text_ids(row["response"] + "\n")) for row in rows(world / "train.json"))
    assert report["train"]["target_tokens"] == learnt


def test_the_loss_falls_and_the_folder_holds_both_forms(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert names >= {
        "adapter.json",
        "prefix.safetensors",
        "pytorch_model.bin",
        "metrics.jsonl",
        "curves.png",
    }
    info = json.loads((whole / "adapter.json").read_text(encoding="utf-8"))
    assert (info["kind"], info["pre_seq_len"], info["base"]["model_type"]) == (
        "prefix",
        4,
        "chatglm",
    )
    assert info["settings"]["quantization_bit"] == 4
    assert info["result"]["test_loss"] < info["result"]["base_loss"] - 0.2
    assert str(whole.parents[1]) not in (whole / "adapter.json").read_text(encoding="utf-8")


def test_a_killed_run_goes_on_to_the_same_curve(
    whole: Path, world: Path, glm_home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "scripts/train_roleplaying.py", *training(world, glm_home, out)]
    run = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL
    )
    state = out / "trainer" / "checkpoint-10" / "trainer_state.json"
    while not state.exists() and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (out / "adapter.json").exists()
    states = [
        path for path in (out / "trainer").glob("*/*") if path.suffix in (".safetensors", ".bin")
    ]
    assert states and {path.name for path in states} == {"prefix.safetensors"}
    assert train_roleplaying.main(training(world, glm_home, out)) == 0
    for one, other in zip(rows(out / "metrics.jsonl"), rows(whole / "metrics.jsonl"), strict=True):
        for key in ("step", "loss", "eval_loss", "base_loss"):
            assert one.get(key) == pytest.approx(other.get(key), abs=1e-4)
    tables = [read_prefix(folder)["embedding.weight"] for folder in (out, whole)]
    torch.testing.assert_close(tables[0], tables[1], atol=1e-4, rtol=0)


def test_the_originals_form_gives_the_same_replies(
    whole: Path, original: Path, glm_home: Path
) -> None:
    assert replies(glm_home, original) == replies(glm_home, whole) != replies(glm_home, None)


@pytest.mark.parametrize("form", ["ours", "original"])
def test_model_and_checkpoint_play(
    form: str, whole: Path, original: Path, world: Path, glm_home: Path
) -> None:
    folder = whole if form == "ours" else original
    choice = Choice(model=str(glm_home), checkpoint=str(folder), quantization_bit=4)
    told: list[Message] = []
    agent = load_agent(World.load(world), choice, told.append)
    assert agent.backend.name == f"tiny-chatglm + {folder.name}"
    assert "loading the adapter" in map(str, told)
    reply = last_reply(agent.ask("阿灯", "你点什么？", n=2, params=PARAMS, background=False))
    assert len(reply.candidates) == 2


def test_the_dialogue_script_plays_model_and_checkpoint_of_the_environment(
    original: Path,
    world: Path,
    glm_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MODEL", str(glm_home))
    monkeypatch.setenv("CHECKPOINT", str(original))
    flags = f"--world {world} --questions 你点什么？ [gMASK] --samples 2"
    assert test_dialogue.main([*flags.split(), "--max_tokens", "8", "--no-background"]) == 0
    shown = capsys.readouterr().out
    assert (
        "问：你点什么？（阿灯）" in shown
        and "问：[gMASK]（阿灯）" in shown
        and shown.count("\n2. ") == 2
    )


def test_a_prompt_longer_than_the_model_is_one_line(
    world: Path, glm_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = f"--world {world} --model {glm_home} --checkpoint none --samples 1 --questions "
    flags += "灯" * 3000
    assert test_dialogue.main(flags.split()) == 2
    assert "shorten the " in capsys.readouterr().err


def test_the_checkpoint_with_another_model(
    whole: Path, original: Path, world: Path, llama_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, message in (
        (whole, "was made for tiny-chatglm"),
        (original, "is a prefix of the original ChatGLM"),
    ):
        assert (
            test_dialogue.main(
                f"--world {world} --model {llama_folder} --checkpoint {folder}".split()
            )
            == 2
        )
        assert message in capsys.readouterr().err


def test_the_originals_form_of_lora_is_refused_before_training(
    world: Path, glm_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        train_roleplaying.main(training(world, glm_home, tmp_path / "no", "--adapter", "lora")) == 2
    )
    assert "only a ChatGLM's prefix has the original's form" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_other_settings_need_a_restart(
    whole: Path, world: Path, glm_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        train_roleplaying.main(training(world, glm_home, whole, "--max_source_length", "20")) == 2
    )
    assert (
        "other settings (max_source_length 24 -> 20): give the same, or --restart"
        in capsys.readouterr().err
    )


def test_a_projected_prefix_and_lora(world: Path, glm_home: Path, tmp_path: Path) -> None:
    short = ["--max_steps", "4", "--eval_steps", "2"]
    assert (
        train_roleplaying.main(
            training(world, glm_home, tmp_path / "p", "--prefix_projection", *short)
        )
        == 0
    )
    assert "trans.2.weight" in read_prefix(tmp_path / "p")
    plain = [
        flag
        for flag in training(world, glm_home, tmp_path / "l", *short)
        if flag != "--original_format"
    ]
    assert train_roleplaying.main([*plain, "--adapter", "lora"]) == 0
    assert (tmp_path / "l" / "adapter_model.safetensors").exists()
    for name in ("p", "l"):
        assert len(replies(glm_home, tmp_path / name)) == 3


def test_a_folder_that_is_no_checkpoint(world: Path, glm_home: Path) -> None:
    with pytest.raises(AdapterError, match="is not a checkpoint of this program"):
        choose_checkpoint(str(world), World.load(world), str(glm_home))
