"""Train an adapter (a P-Tuning v2 prefix, or LoRA) on a world's prepared data.

    run(Settings(world=Path("worlds/chuiyan"), run={"adapter": "prefix", "max_steps": 200}), show)

The result is a folder under ``checkpoints/``: the adapter of the best held-out loss, that of the
last step under ``last/``, ``adapter.json``, and for a person ``README.md``, ``curves.png``,
``samples.md``. Stopped and started again with the same settings it goes on from its last saved
step. Started by ``accelerate launch``, several processes share each step's rows.
"""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from roleplay import files
from roleplay.adapters import checkpoint, start
from roleplay.adapters.checkpoint import AdapterInfo, BaseModelInfo, public_name
from roleplay.dataset import protection, texts
from roleplay.models import bundled, causal, loading
from roleplay.models.chat_template import has_chat
from roleplay.options import DataOptions, arguments, given, option
from roleplay.stages.character import model_option
from roleplay.stages.progress import Listener, Teller, silent
from roleplay.training import parallel
from roleplay.training.data import TokenRow
from roleplay.training.families import CausalFamily, Family, family_of
from roleplay.training.folder import copy_data_report, write_readme
from roleplay.training.recording import Watch
from roleplay.training.settings import TrainSettings
from roleplay.training.trainer import check_resume, train
from roleplay.world import World

STAGE = "training"
T = TypeVar("T")


@dataclass(frozen=True)
class Settings(DataOptions):
    """The options of the stage; ``run`` holds those of :class:`TrainSettings` that were given."""

    model: str = model_option()
    output_dir: Path | None = option(
        None, "default: checkpoints/WORLD-MODEL-ADAPTER", "默认：checkpoints/世界-模型-适配器"
    )
    restart: bool = option(False, "do not go on with an unfinished run", "不接着没跑完的，从头来")
    original_format: bool = option(
        False, "also pytorch_model.bin", "另存原脚本的 pytorch_model.bin"
    )
    samples: int = option(4, "replies at each evaluation, 0: none", "每次评估几个示例", least=0)
    general_rows: int = option(40, "ordinary texts to measure, 0: none", "测几段普通文本", least=0)
    report_to: Literal["none", "tensorboard", "trackio"] = option(
        "none", "also write the figures there", "同时把指标写到那里"
    )
    run: Mapping[str, Any] = given(TrainSettings)


@dataclass(frozen=True)
class Trained:
    """The adapter's folder and what it reached: losses in nats a token, steps."""

    folder: Path
    result: Mapping[str, Any]


def run(settings: Settings, listener: Listener = silent) -> Trained:
    """Train, or go on with what was begun.

    Raises:
        WorldError, DatasetError: the data is missing, broken, or other than the run was begun with.
        ModelError, AdapterError: no such model, or it does not fit.
        TrainingError: the loss is no number, or a state cannot be saved; what was saved is kept.
        BusyError: another run trains into the same folder.
    """
    say = Teller(STAGE, listener)
    parallel.begin()
    plan = _plan(settings)
    with ExitStack() as held:
        if parallel.is_first():
            held.enter_context(files.claim(plan.folder, STAGE))
            check_resume(plan.folder, plan.begun_with, restart=settings.restart)
            copy_data_report(plan.data, plan.folder)
            say.say("training-stage.plan", **plan.describe())
        parallel.wait()
        return _train(plan, settings, say)


@dataclass(frozen=True)
class _Plan:
    """All that is known before the model is loaded."""

    world: World
    data: Path
    folder: Path
    tokenizer: Any
    family: Family
    settings: TrainSettings
    start: Path | None
    rows: dict[str, Sequence[TokenRow]]
    begun_with: dict[str, Any]

    def info(self, base: BaseModelInfo) -> AdapterInfo:
        """``adapter.json`` without results."""
        prepared, chosen = prepared_with(self.data), self.settings
        return AdapterInfo(
            kind=chosen.adapter,
            base=base,
            pre_seq_len=chosen.prefix_length,
            world=self.world.name,
            characters=tuple(prepared.get("characters", self.world.names)),
            mode=prepared.get("mode", "many"),
            start=self.start.name if self.start else "",
            start_digest=start.digest(self.start) if self.start else "",
            template="chat" if has_chat(self.tokenizer) else "plain",
            settings=asdict(chosen),
        )

    def describe(self) -> dict[str, Any]:
        """The values of the line that tells the plan."""
        rows, held = self.rows["train"], self.rows["test"]
        tokens, held_tokens = (sum(row.targets for row in part) for part in (rows, held))
        told = {"rows": len(rows), "noun": self.family.noun, "tokens": tokens}
        told |= {"general": sum(row.general for row in rows)}
        told |= {"held": len(held), "held_tokens": held_tokens}
        return told | {"adapter": self.settings.adapter, "rate": self.settings.learning_rate}


def _plan(settings: Settings) -> _Plan:
    world = World.load(settings.world)
    tokenizer = loading.load_tokenizer(settings.model)
    family = family_of(tokenizer)
    chosen = family.settings(settings.run)
    possible = causal.is_prefix_lm(tokenizer) and chosen.adapter == "prefix"
    checkpoint.check_original(settings.original_format, possible)
    data = settings.data_dir or world.path
    paths = {part: world.file(family.file.format(part), data) for part in ("train", "test")}
    found = {part: family.read(path) for part, path in paths.items()}
    read = [record.model_dump_json() for part in found.values() for record in part]
    begun_with = {"model": public_name(settings.model), "data": files.digest(*read)[:16]}
    found_start = start.find_start(chosen.start, public_name(settings.model))
    begun_with |= asdict(chosen) | {"start": found_start.name if found_start else ""}
    rows = {part: family.encode(tokenizer, records, chosen) for part, records in found.items()}
    general = _general(family)[: settings.general_rows]
    rows["general"] = family.encode(tokenizer, general, chosen) if general else []
    name = f"{world.name}-{Path(settings.model).name}-{chosen.adapter}"
    folder = settings.output_dir or Path("checkpoints") / name
    return _Plan(world, data, folder, tokenizer, family, chosen, found_start, rows, begun_with)


def _general(family: Family) -> list[Any]:
    """Ordinary text that is never trained on, in the form that the family reads."""
    if family.file == CausalFamily.file:
        return list(protection.general_test())
    return list(protection.general_examples(texts.items("general_test")))


def _train(plan: _Plan, settings: Settings, say: Teller) -> Trained:
    bits, dtype = plan.settings.quantization_bit, plan.family.dtype()
    model = loading.load_causal(settings.model, dtype=dtype, quantization_bit=bits)
    if plan.start:
        model = start.with_start(model, plan.start)
    info = plan.info(BaseModelInfo.of(model, public_name(settings.model)))
    last: dict[str, Any] = {}

    def keep_last(adapted: Any, result: dict[str, Any]) -> None:
        last["last_loss"] = result["test_loss"]
        reached = info.model_copy(update={"result": result})
        checkpoint.save_adapter(adapted, plan.folder / "last", reached)

    def told_time(steps: int, seconds: float) -> None:
        minutes = f"{steps * seconds / 60:.0f}"
        say.say("training-stage.time", steps=steps, seconds=f"{seconds:.1f}", minutes=minutes)

    told: dict[str, Any] = {"on_step": _steps(say), "on_time": told_time}
    told |= {"samples": settings.samples, "general": plan.rows["general"]}
    watch = Watch(report_to=settings.report_to, **told)
    rows = plan.rows["train"], plan.rows["test"]
    more: dict[str, Any] = {"folder": plan.folder, "watch": watch, "on_last": keep_last}
    adapted, result = train(model, plan.tokenizer, *rows, plan.settings, **more)
    result |= last
    if parallel.is_first():
        info = info.model_copy(update={"result": result})
        checkpoint.save_adapter(adapted, plan.folder, info, original=settings.original_format)
        command = shlex.join(["python", "scripts/train_roleplaying.py", *arguments(settings)])
        write_readme(plan.folder, info, data=plan.data, command=command)
        _tell(result, settings, plan.folder, say)
    parallel.wait()
    return Trained(plan.folder, result)


def _steps(say: Teller) -> Any:
    """What the trainer calls at each logged step: the losses as one line, and how far it is."""
    steps = say.step("training-stage.steps")

    def told(step: int, total: int, figures: Mapping[str, float]) -> None:
        known = {name: figures[name] for name in ("loss", "eval_loss") if name in figures}
        if known:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in known.items())
            say.say("training-stage.step", step=step, total=total, figures=shown)
            steps(step, total)

    return told


def prepared_with(data: Path) -> dict[str, Any]:
    """The settings of the dataset stage, from its report; empty where there is none."""
    report = data / "report" / "dataset.json"
    settings: dict[str, Any] = files.read_json(report)["settings"] if report.exists() else {}
    return settings


def _tell(result: Mapping[str, Any], settings: Settings, folder: Path, say: Teller) -> None:
    """What was reached, and the next command."""
    before, after = result["base_loss"], result["test_loss"]
    say.say("training-stage.reached", before=before, after=after, gain=f"{1 - after / before:.1%}")
    more = [] if settings.model == bundled.NAME else ["--model", settings.model]
    bits = settings.run.get("quantization_bit")
    more += ["--quantization-bit", bits] if bits else []
    say.next("test_dialogue", "--world", settings.world, *more, "--checkpoint", folder)
