"""Training at toy size: the loss falls, the best weights come back, a run goes on as begun."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from roleplay import files
from roleplay.adapters.prefix import new_prefix, start_from_text
from roleplay.errors import DatasetError
from roleplay.records import Passage, Segment
from roleplay.training.data import TokenRow, encode_passage
from roleplay.training.recording import StepLog, Watch
from roleplay.training.settings import TrainSettings
from roleplay.training.steps import mean_loss
from roleplay.training.trainer import check_resume, train

FAST = {"pre_seq_len": 4, "batch": 2, "warmup_steps": 1, "log_steps": 5, "max_tokens": 64}


def row(tokenizer: Any, answer: str, weight: float = 1.0) -> TokenRow:
    segments = (Segment(text="阿灯："), Segment(text=answer + "\n", weight=weight))
    return encode_passage(tokenizer, Passage(task="scene", segments=segments))


@pytest.fixture
def rows(tokenizer: Any) -> list[TokenRow]:
    return [row(tokenizer, answer) for answer in ("灯亮着。", "灯灭了。", "灯还亮着。")]


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_the_loss_of_the_base_model_by_hand(gemma: Any, rows: list[TokenRow]) -> None:
    losses = []
    for one in rows:
        scores = gemma(torch.tensor([one.ids])).logits[0]
        learnt = [place for place, weight in enumerate(one.weights) if weight]
        assert learnt[0] == 4, "after <bos> and the cue"
        for place in learnt:
            losses.append(functional.cross_entropy(scores[place - 1], torch.tensor(one.ids[place])))
    assert mean_loss(gemma, rows) == pytest.approx(float(torch.stack(losses).mean()), abs=1e-5)


def test_the_loss_with_a_prefix_is_that_of_the_text(llama: Any, rows: list[TokenRow]) -> None:
    context = torch.tensor([[1, 5, 9, 12]])
    longer = [TokenRow((*context[0].tolist(), *one.ids), (0.0,) * 4 + one.weights) for one in rows]
    expected = mean_loss(llama, longer)
    peft_model = new_prefix(llama, length=4)
    start_from_text(peft_model, context)
    assert mean_loss(peft_model, rows) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("adapter", "rate"), [("prefix", 0.3), ("lora", 0.01)])
def test_training_lowers_the_loss(
    gemma: Any, tokenizer: Any, rows: list[TokenRow], adapter: Any, rate: float, tmp_path: Path
) -> None:
    settings = TrainSettings(
        adapter=adapter, learning_rate=rate, max_steps=20, eval_steps=10, **FAST
    )
    before = {name: value.clone() for name, value in gemma.state_dict().items()}
    peft_model, result = train(gemma, tokenizer, rows, rows, settings, folder=tmp_path)
    assert result["test_loss"] < result["base_loss"] - 0.2
    assert (result["steps"], result["target_tokens"]) == (20, sum(one.targets for one in rows))
    assert mean_loss(peft_model, rows) == result["test_loss"]
    if adapter == "prefix":
        assert all(torch.equal(value, before[name]) for name, value in gemma.state_dict().items())


def test_a_run_writes_metrics_and_curves(
    gemma: Any, tokenizer: Any, rows: list[TokenRow], tmp_path: Path
) -> None:
    settings = TrainSettings(adapter="prefix", max_steps=10, eval_steps=5, **FAST)
    _, result = train(gemma, tokenizer, rows, rows, settings, folder=tmp_path)
    found = metrics(tmp_path)
    assert found[0] == {"step": 0, "base_loss": result["base_loss"]}
    assert [one["step"] for one in found if "loss" in one] == [5, 10]
    assert [one["step"] for one in found if "eval_loss" in one] == [5, 10]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_steps_are_told_and_nothing_is_printed(
    gemma: Any, tokenizer: Any, rows: list[TokenRow], tmp_path: Path, capsys: Any
) -> None:
    settings = TrainSettings(adapter="prefix", max_steps=10, eval_steps=5, **FAST)
    told: list[tuple[int, int, dict[str, float]]] = []
    watch = Watch(on_step=lambda step, steps, figures: told.append((step, steps, dict(figures))))
    train(gemma, tokenizer, rows, rows, settings, folder=tmp_path, watch=watch)
    losses = [(step, steps) for step, steps, figures in told if {"loss", "eval_loss"} & {*figures}]
    assert losses == [(5, 10), (5, 10), (10, 10), (10, 10)]
    wanted = [one for one in metrics(tmp_path) if "eval_loss" in one]
    assert [figures for _, _, figures in told if "eval_loss" in figures] == [
        {name: value for name, value in one.items() if name != "step"} for one in wanted
    ]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("adapter", "rate"), [("prefix", 2.0), ("lora", 0.02)])
def test_the_best_weights_come_back(
    gemma: Any, tokenizer: Any, adapter: Any, rate: float, tmp_path: Path
) -> None:
    """Trained on one answer and tested on another, the held-out loss ends higher than it was."""
    settings = TrainSettings(
        adapter=adapter, learning_rate=rate, max_steps=16, eval_steps=2, **FAST
    )
    learnt, test = [row(tokenizer, "灯" * 6)], [row(tokenizer, "船" * 10)]
    peft_model, result = train(gemma, tokenizer, learnt, test, settings, folder=tmp_path)
    losses = [one["eval_loss"] for one in metrics(tmp_path) if "eval_loss" in one]
    assert len(losses) == 8 and losses[-1] > min(losses) + 0.2
    assert result["test_loss"] == pytest.approx(min(losses), abs=1e-6)
    assert mean_loss(peft_model, test) == result["test_loss"]


def test_the_weights_of_lines_count(gemma_folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    """A line of weight 0.01 is learnt far less than its neighbour of weight 1."""
    from roleplay.models.loading import load_causal

    settings = TrainSettings(adapter="prefix", max_steps=15, eval_steps=15, **FAST)
    loud, quiet = row(tokenizer, "灯亮着。"), row(tokenizer, "船走了。", weight=0.01)
    peft_model, _ = train(
        load_causal(str(gemma_folder)),
        tokenizer,
        [loud, quiet],
        [loud, quiet],
        settings,
        folder=tmp_path,
    )
    base = load_causal(str(gemma_folder))
    gains = [mean_loss(base, [one]) - mean_loss(peft_model, [one]) for one in (loud, quiet)]
    assert gains[0] > gains[1] + 0.2


def test_no_test_passages(gemma: Any, tokenizer: Any, rows: list[TokenRow], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="3 training and 0 test rows: both are needed"):
        train(gemma, tokenizer, rows, [], TrainSettings(), folder=tmp_path)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of a run that was stopped at step 10."""
    check_resume(tmp_path, asdict(TrainSettings()), restart=False)
    (tmp_path / "trainer" / "checkpoint-10").mkdir(parents=True)
    (tmp_path / "trainer" / "checkpoint-10" / "trainer_state.json").write_text(
        "{}", encoding="utf-8"
    )
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n', encoding="utf-8")
    return tmp_path


def test_other_settings_are_refused_with_the_differences(begun: Path) -> None:
    check_resume(begun, asdict(TrainSettings()), restart=False)
    with pytest.raises(
        DatasetError,
        match=r"other settings \(batch 4 -> 8, seed 7 -> 9\): give the same, or --restart",
    ):
        check_resume(begun, asdict(TrainSettings(batch=8, seed=9)), restart=False)


def test_a_run_of_an_older_version_goes_on(begun: Path) -> None:
    """Its settings and its figures have today's names from then on."""
    old = asdict(TrainSettings())
    old["keep_weight"] = old.pop("kl_weight")
    files.write_json(begun / "settings.json", old)
    check_resume(begun, asdict(TrainSettings()), restart=False)
    files.write_json(begun / "settings.json", old | {"keep_weight": 0.5})
    with pytest.raises(DatasetError, match=r"\(kl_weight 0.5 -> 1.0\)"):
        check_resume(begun, asdict(TrainSettings()), restart=False)
    (begun / "metrics.jsonl").write_text('{"step": 0, "bare_loss": 4.5}\n', encoding="utf-8")
    StepLog(begun / "metrics.jsonl", begun=10)
    assert metrics(begun) == [{"step": 0, "base_loss": 4.5}]


def test_a_restart_forgets_the_run(begun: Path) -> None:
    check_resume(begun, asdict(TrainSettings(batch=8)), restart=True)
    assert sorted(path.name for path in begun.iterdir()) == ["settings.json"]
    assert json.loads((begun / "settings.json").read_text(encoding="utf-8"))["batch"] == 8


def test_a_folder_without_a_state_takes_any_settings(tmp_path: Path) -> None:
    check_resume(tmp_path, asdict(TrainSettings()), restart=False)
    check_resume(tmp_path, asdict(TrainSettings(batch=8)), restart=False)
    assert json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))["batch"] == 8
