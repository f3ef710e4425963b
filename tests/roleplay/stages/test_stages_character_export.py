"""Taking a character along: the whole stage on toy models, each file read back by another program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import tiny
import tiny_gguf
import torch

from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, save_adapter
from roleplay.adapters.lora import new_lora
from roleplay.adapters.prefix import new_prefix
from roleplay.errors import AdapterError, UsageError
from roleplay.models.loading import load_causal
from roleplay.stages.character import Choice
from roleplay.stages.character_export import Settings, run
from scripts import export_character

PROMPT = [4, 5, 6, 7, 8, 9]


def adapter(model: Any, folder: Path, kind: str = "lora") -> Path:
    """A checkpoint of random weights."""
    torch.manual_seed(2)
    made = new_prefix(model, length=4) if kind == "prefix" else new_lora(model, rank=2)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter).mul(0.2).bfloat16())
    length = 4 if kind == "prefix" else 0
    info = AdapterInfo(kind=kind, base=BaseModelInfo.of(model, "tiny-llama"), pre_seq_len=length)
    save_adapter(made, folder, info)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return tiny.write_world(tmp_path / "toy")


def choice(llama_folder: Path, folder: Path) -> Choice:
    return Choice(model=str(llama_folder), checkpoint=str(folder))


def test_all_forms_are_written_and_agree(
    llama_folder: Path, llama: Any, world: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = tiny_gguf.write(load_causal(str(llama_folder)), tmp_path / "base.gguf")
    mine = choice(llama_folder, adapter(llama, tmp_path / "mine"))
    more = {"output": tmp_path / "out", "base_gguf": base, "gguf_type": "f32"}
    written = run(Settings(world=world, choice=mine, **more))
    assert {path.name for path in written} == {
        "merged",
        "lora",
        "mine.gguf",
        "mine-lora.gguf",
        "Modelfile.阿灯",
    }
    ids = torch.tensor([PROMPT])
    folder = tmp_path / "out"
    merged = AutoModelForCausalLM.from_pretrained(folder / "merged", dtype=torch.float32)
    by_lora = PeftModel.from_pretrained(load_causal(str(llama_folder)), folder / "lora")
    by_gguf = AutoModelForCausalLM.from_pretrained(folder, gguf_file="mine.gguf")
    with torch.no_grad():
        wanted, *others = (part(input_ids=ids).logits for part in (by_gguf, merged, by_lora))
        away = (wanted - load_causal(str(llama_folder))(ids).logits).abs().max()
        # What is stored in bfloat16 is near, and what the adapter changes is far.
        assert max((wanted - found).abs().max() for found in others) < away / 20
    assert "阿灯：" in (folder / "Modelfile.阿灯").read_text(encoding="utf-8")
    assert (folder / "Modelfile.小舟").read_text(encoding="utf-8").startswith("FROM ./mine.gguf")
    assert "ollama create mine -f Modelfile.阿灯" in (folder / "README.md").read_text("utf-8")


def test_a_prefix_stays_here(llama_folder: Path, llama: Any, world: Path, tmp_path: Path) -> None:
    mine = choice(llama_folder, adapter(llama, tmp_path / "mine", "prefix"))
    with pytest.raises(AdapterError, match="is a prefix, which no other program plays"):
        run(Settings(world=world, choice=mine, output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_gguf_needs_a_tokenizer_from_somewhere(
    llama_folder: Path, llama: Any, world: Path, tmp_path: Path
) -> None:
    mine = choice(llama_folder, adapter(llama, tmp_path / "mine"))
    with pytest.raises(UsageError, match="needs its tokenizer: give any GGUF of the base model"):
        run(Settings(world=world, choice=mine, output=tmp_path / "out"))
    with pytest.raises(UsageError, match="there is no .*convert_hf_to_gguf.py"):
        run(Settings(world=world, choice=mine, output=tmp_path / "out", llama_cpp=tmp_path))
    assert not (tmp_path / "out").exists()


CONVERTER = """
import pathlib, sys
folder, _, target, _, kind = sys.argv[1:]
if not (pathlib.Path(folder) / "config.json").exists() or kind == "q8_0":
    sys.exit("cannot convert")
pathlib.Path(target).write_text("GGUF")
"""


def test_llama_cpps_converter_is_run_on_the_merged_model(
    llama_folder: Path, llama: Any, world: Path, tmp_path: Path
) -> None:
    (tmp_path / "convert_hf_to_gguf.py").write_text(CONVERTER)
    mine = choice(llama_folder, adapter(llama, tmp_path / "mine"))
    more = {"choice": mine, "output": tmp_path / "out", "forms": ("gguf",), "llama_cpp": tmp_path}
    run(Settings(world=world, **more))
    assert (tmp_path / "out" / "mine.gguf").read_text() == "GGUF"
    (tmp_path / "out" / "mine.gguf").unlink()
    with pytest.raises(AdapterError, match=r"converter failed \(cannot convert\)"):
        run(Settings(world=world, **more, gguf_type="q8_0"))


def test_without_an_adapter_there_is_nothing_to_take(
    llama_folder: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--world", str(world), "--model", str(llama_folder), "--checkpoint", "none"]
    assert export_character.main(flags) == 2
    assert "has no adapter for this model: train one" in capsys.readouterr().err


_PLAY = """
import json, sys
import xllamacpp
model, adapter, prompts = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.warmup = model, 1024, 1, False
params.cpuparams.n_threads, params.verbosity = 2, -1
if adapter:
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(adapter, 1.0)]
server = xllamacpp.Server(params)
for prompt in json.loads(prompts):
    asked = {"prompt": prompt, "max_tokens": 20, "temperature": 0, "top_k": 1}
    print(json.dumps(server.handle_completions(asked)["choices"][0]["text"]))
"""


@pytest.mark.heavy
def test_llama_cpp_writes_the_same_twenty_tokens(tmp_path: Path) -> None:
    """The shipped LoRA on the bundled model, played by a prebuilt llama.cpp (`xllamacpp`)."""
    from roleplay.adapters import gguf_files, lora
    from roleplay.adapters.checkpoint import load_adapter
    from roleplay.models import bundled
    from roleplay.models.loading import load_tokenizer
    from roleplay.stages.character import ROOT

    shipped = ROOT / "checkpoints" / "chuiyan-gemma3-270m-lora"
    output, world = tmp_path / "out", ROOT / "worlds" / "chuiyan"
    forms = {"forms": ("gguf", "lora-gguf"), "output": output}
    run(Settings(world=world, choice=Choice(checkpoint=str(shipped)), **forms))
    base = load_causal(bundled.NAME)
    with bundled.gguf_file() as template:
        gguf_files.write_merged(base, template, tmp_path / "base.gguf", kind="f32", name="base")
    model, tokenizer = lora.merged(load_adapter(base, shipped, name=bundled.NAME)[0]), None
    tokenizer = load_tokenizer(bundled.NAME)
    prompts = ["问：你是谁？\n闻筝：", "【铜壶的盖子跳了三下】\n陆迟：可以进来吗？\n铜婆："]
    wanted = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        made = model.generate(ids, max_new_tokens=20, min_new_tokens=20, do_sample=False)
        wanted.append(tokenizer.decode(made[0, ids.shape[1] :]))
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "xllamacpp"], check=True)
    merged, alone = (str(output / f"{shipped.name}{end}.gguf") for end in ("", "-lora"))
    for files in ((merged, ""), (str(tmp_path / "base.gguf"), alone)):
        command = [python, "-c", _PLAY, *files, json.dumps(prompts)]
        played = subprocess.run(command, check=True, capture_output=True, text=True)
        assert [json.loads(line) for line in played.stdout.splitlines()] == wanted
    assert sys.modules.get("xllamacpp") is None
