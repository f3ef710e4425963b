"""Take a character along: files that other programs load, from a LoRA of ours or anyone's.

    run(Settings(world=Path("worlds/chuiyan"), output=Path("out")), show)

    out/merged/               the model with the adapter in its weights: transformers, vLLM, SGLang
    out/lora/                 PEFT's LoRA, a start below it included: vLLM's --lora-modules
    out/NAME.gguf             the merged model for llama.cpp, Ollama, KoboldCpp, LM Studio
    out/NAME-lora.gguf        the LoRA alone, for llama.cpp's --lora on a GGUF of the base model
    out/Modelfile.CHARACTER   for `ollama create`, one for each character
    out/README.md             the commands

A prefix cannot be taken along: no other program plays one.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from roleplay import files
from roleplay.adapters import gguf_files, lora, start
from roleplay.adapters.checkpoint import AdapterInfo, find_adapter, load_adapter, public_name
from roleplay.adapters.modelfile import modelfile
from roleplay.errors import AdapterError, UsageError
from roleplay.models import bundled, chat_template, loading
from roleplay.options import WorldOptions, group, option
from roleplay.stages.character import Choice, check_cast, choose_checkpoint
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.world import World

FORMS = ("merged", "lora", "gguf", "lora-gguf")
CONVERTER = "convert_hf_to_gguf.py"


@dataclass(frozen=True)
class Settings(WorldOptions):
    """The options of the stage."""

    choice: Choice = group(Choice)
    output: Path | None = option(None, "default: exports/CHECKPOINT", "默认：exports/检查点")
    forms: tuple[Literal["merged", "lora", "gguf", "lora-gguf"], ...] = option(
        FORMS, "what is written", "写哪些"
    )
    gguf_type: Literal["f16", "q8_0", "bf16", "f32"] = option(
        "f16", "how a merged GGUF stores its weights", "合并的 GGUF 用什么精度"
    )
    base_gguf: Path | None = option(
        None,
        "a GGUF of the base model, for its tokenizer (default: the bundled model's)",
        "基础模型的 GGUF，取其分词器（默认：自带模型的）",
    )
    llama_cpp: Path | None = option(
        None,
        f"folder with llama.cpp's {CONVERTER}, where there is no GGUF of the base model",
        f"llama.cpp 的 {CONVERTER} 所在文件夹，没有基础模型的 GGUF 时用",
        environment="LLAMA_CPP",
    )


def run(settings: Settings, listener: Listener = silent) -> list[Path]:
    """What was written.

    Raises:
        WorldError: the world names nobody.
        AdapterError: there is no LoRA for the model, or a form cannot hold it.
        ModelError: no such model.
    """
    say = Teller("character_export", listener)
    world = check_cast(World.load(settings.world))
    found = choose_checkpoint(settings.choice.checkpoint, world, settings.choice.model, say.tell)
    if found is None:
        raise AdapterError("character-export.no-adapter", world=world.path)
    job = _Job(settings, world, find_adapter(found), say)
    job.check()
    return job.run()


class _Job:
    """One export: the settings, and what is loaded for them."""

    def __init__(self, settings: Settings, world: World, folder: Path, say: Teller) -> None:
        self.settings, self.world, self.folder, self.say = settings, world, folder, say
        self.name = public_name(str(folder))
        self.output = settings.output or Path("exports") / self.name
        self.written: list[Path] = []

    def check(self) -> None:
        """Refuse what cannot be, before a model is loaded."""
        settings = self.settings
        if not (self.folder / "adapter_config.json").is_file() or (
            files.read_json(self.folder / "adapter_config.json").get("peft_type") != "LORA"
        ):
            raise AdapterError("character-export.prefix", folder=self.folder)
        if settings.choice.quantization_bit and {"merged", "gguf"} & set(settings.forms):
            raise UsageError("character-export.packed")
        bundled_model = settings.choice.model == bundled.NAME
        if "gguf" not in settings.forms or settings.base_gguf or bundled_model:
            return
        if not settings.llama_cpp:
            raise UsageError("character-export.no-gguf", model=settings.choice.model)
        if not (settings.llama_cpp / CONVERTER).is_file():
            raise UsageError("character-export.no-converter", path=settings.llama_cpp / CONVERTER)

    def run(self) -> list[Path]:
        """Load, merge, write each form."""
        name, forms = self.settings.choice.model, self.settings.forms
        path = loading.resolve(name, on_progress=self.say.tell)
        tokenizer = loading.load_tokenizer(path)
        # float32: a merged weight is rounded once, when it is stored.
        model = loading.load_causal(path, dtype=torch.float32)
        adapted, info = load_adapter(model, self.folder, name=public_name(name))
        if info.template == "plain":
            tokenizer.chat_template = None
        self.output.mkdir(parents=True, exist_ok=True)
        if {"lora", "lora-gguf"} & set(forms):
            self._lora(adapted.config)
        if {"merged", "gguf"} & set(forms):
            plain = lora.merged(adapted)
            if hasattr(plain, "peft_config"):  # packed weights, which stay as they are
                raise UsageError("character-export.packed")
            self._merged(plain, tokenizer)
        if "gguf" in forms:
            self._modelfiles(tokenizer, info)
        self._readme(name)
        return self.written

    def _wrote(self, path: Path) -> None:
        self.written.append(path)
        self.say.say("export.wrote", path=path)

    def _lora(self, config: Any) -> None:
        below = [start.start_of(self.folder, *named)] if (named := self._start()) else []
        updates = lora.stacked([*below, self.folder])
        if "lora" in self.settings.forms:
            base = self.settings.choice.model
            lora.write_peft(updates, self.output / "lora", base=public_name(base))
            self._wrote(self.output / "lora")
        if "lora-gguf" in self.settings.forms:
            target = self.output / f"{self.name}-lora.gguf"
            gguf_files.write_lora(updates, config, target)
            self._wrote(target)

    def _start(self) -> tuple[str, str] | None:
        """The name and the digest of the starting adapter below ours, where there is one."""
        path = self.folder / "adapter.json"
        info = files.read_json(path) if path.is_file() else {}
        return (info["start"], info["start_digest"]) if info.get("start") else None

    def _merged(self, model: Any, tokenizer: Any) -> None:
        folder, converted = self.output / "merged", self.settings.llama_cpp
        by_script = "gguf" in self.settings.forms and not self._template_known()
        if "gguf" in self.settings.forms and not by_script:
            target, kind = self.output / f"{self.name}.gguf", self.settings.gguf_type
            with bundled.gguf_file(self.settings.base_gguf) as template:
                gguf_files.write_merged(model, template, target, kind=kind, name=self.name)
            self._wrote(target)
        if "merged" in self.settings.forms or by_script:
            model.to(torch.bfloat16).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            self._wrote(folder)
        if by_script and converted:
            self._convert(folder, converted)

    def _template_known(self) -> bool:
        return bool(self.settings.base_gguf) or self.settings.choice.model == bundled.NAME

    def _convert(self, folder: Path, script: Path) -> None:
        """Let llama.cpp's own script make the GGUF; it brings its own library of that name."""
        target = self.output / f"{self.name}.gguf"
        flags = ["--outfile", str(target), "--outtype", self.settings.gguf_type]
        command = [sys.executable, str(script / CONVERTER), str(folder), *flags]
        made = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        if made.returncode or not target.is_file():
            last = (made.stdout + made.stderr).strip().split("\n")[-1][:160]
            raise AdapterError("character-export.converter-failed", detail=last)
        self._wrote(target)

    def _modelfiles(self, tokenizer: Any, info: AdapterInfo) -> None:
        before = chat_template.opening(tokenizer)
        for person in self.world.info.characters:
            profile = person.profile if info.mode == "profile" else ""
            more = {"profile": profile, "opening": before}
            target = self.output / f"Modelfile.{person.name}"
            files.write_text(target, modelfile(f"{self.name}.gguf", person.name, **more))
        self._wrote(self.output / f"Modelfile.{self.world.names[0]}")

    def _readme(self, model: str) -> None:
        name, first = self.name, self.world.names[0]
        parts = {
            "gguf": f"ollama create {name} -f Modelfile.{first} && ollama run {name}\n"
            f"llama-cli -m {name}.gguf -no-cnv -p '问：你是谁？\n{first}：' -r '\n'",
            "lora-gguf": f"llama-cli -m BASE.gguf --lora {name}-lora.gguf -no-cnv -p '...'",
            "merged": "vllm serve merged",
            "lora": f"vllm serve BASE --enable-lora --max-lora-rank 64 --lora-modules {name}=lora",
        }
        shown = "\n".join(text for form, text in parts.items() if form in self.settings.forms)
        files.write_text(
            self.output / "README.md",
            f"# {name}\n\nA character of {self.world.info.title}, trained on {public_name(model)}; "
            f"the base model's terms hold for all of this.\n\n```\n{shown}\n```\n\n"
            f"A prompt ends in the cue of who speaks (`{first}：`), a reply at its line break.\n",
        )
