"""Settings: the adapter's own learning rate, and all that is wrong in one message."""

import argparse

import pytest

from roleplay.errors import UsageError
from roleplay.options import add_options, read_options
from roleplay.training.settings import TrainSettings


def test_all_wrong_values_are_listed_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        TrainSettings(adapter="spell", pre_seq_len=0, batch=-1, epochs=0, max_tokens=8)  # type: ignore[arg-type]
    assert str(caught.value).split("; ") == [
        "--adapter must be one of prefix lora, not 'spell'",
        "--pre-seq-len must be at least 1, not 0",
        "--batch must be at least 1, not -1",
        "--max-tokens must be at least 32, not 8",
        "either --epochs or --max-steps must be above 0",
    ]


def test_lengths_and_bits_of_chatglm() -> None:
    with pytest.raises(
        UsageError,
        match="--max-target-length must be at least 1, not 0; --quantization-bit must be one of 0",
    ):
        TrainSettings(max_target_length=0, quantization_bit=5)


@pytest.mark.parametrize(("adapter", "rate", "length"), [("prefix", 3e-2, 64), ("lora", 1e-3, 0)])
def test_an_adapter_has_its_own_rate_and_length(adapter: str, rate: float, length: int) -> None:
    settings = TrainSettings(adapter=adapter)  # type: ignore[arg-type]
    assert (settings.learning_rate, settings.prefix_length) == (rate, length)


def test_a_given_rate_and_steps_are_kept() -> None:
    settings = TrainSettings(learning_rate=0.5, epochs=0, max_steps=3)
    assert (settings.learning_rate, settings.max_steps) == (0.5, 3)


def test_an_option_that_had_another_name() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, TrainSettings)
    for flag in ("--kl-weight", "--keep-weight"):
        assert read_options(TrainSettings, parser.parse_args([flag, "0.5"])).kl_weight == 0.5


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_weight_that_is_none(value: float) -> None:
    with pytest.raises(UsageError, match="--kl-weight must be at least 0, not"):
        TrainSettings(kl_weight=value)
