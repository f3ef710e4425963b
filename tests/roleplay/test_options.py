"""Options: one declaration gives the flag, its help in both languages, its check, its command."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from roleplay import stages
from roleplay.errors import UsageError
from roleplay.options import (
    Options,
    add_options,
    arguments,
    declared,
    given,
    group,
    option,
    read_options,
    required,
)


@dataclass(frozen=True)
class Inner:
    rate: float = option(0.5, "how fast", "多快", least=0, most=1, old=("speed",))


@dataclass(frozen=True)
class Late:
    steps: int = option(10, "how many", "几步", least=1)


@dataclass(frozen=True)
class Settings(Options):
    world: Path = required("the folder", "文件夹")
    mode: Literal["one", "many"] = option("many", "who", "谁")
    names: tuple[str, ...] = option((), "whose", "谁的")
    background: bool = option(True, "use it", "使用背景")
    force: bool = option(False, "overwrite", "覆盖")
    limit: int | None = option(None, "at most", "最多", least=0, environment="TEST_LIMIT")
    inner: Inner = group(Inner)
    late: dict[str, Any] = given(Late)
    plain: int = field(default=3)


def parsed(*argv: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_options(parser, Settings)
    return read_options(Settings, parser.parse_args(["--world", "w", *argv]))


def test_what_is_not_given_has_its_default() -> None:
    assert parsed() == Settings(world=Path("w"))


def test_flags_become_values_of_their_types() -> None:
    made = parsed("--names", "闻筝", "陆迟", "--no-background", "--limit", "2", "--rate", "1")
    assert (made.names, made.background, made.limit) == (("闻筝", "陆迟"), False, 2)
    assert made.inner == Inner(rate=1.0)


def test_an_old_name_is_understood() -> None:
    assert parsed("--speed", "0.25").inner.rate == 0.25


def test_only_what_was_given_is_there() -> None:
    assert (parsed().late, parsed("--steps", "10").late) == ({}, {"steps": 10})


def test_the_environment_gives_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_LIMIT", "7")
    assert (parsed().limit, parsed("--limit", "2").limit) == (7, 2)
    monkeypatch.setenv("TEST_LIMIT", "七")
    with pytest.raises(UsageError, match="the environment variable TEST_LIMIT is '七'"):
        parsed()


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Settings(world=Path("w"), mode="all", limit=-1)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "--mode must be one of one many, not 'all'; --limit must be at least 0, not -1"
    )
    assert caught.value.text("zh") == (
        "--mode 只能是 one many 之一，不能是 'all'; --limit 至少是 0，不能是 -1"
    )


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--mode", "one", "--names", "闻筝", "陆迟"],
        ["--no-background", "--force"],
        ["--limit", "3", "--rate", "0.75", "--steps", "10"],
    ],
)
def test_the_arguments_make_the_settings_again(argv: list[str]) -> None:
    made = parsed(*argv)
    flags = arguments(made)
    assert flags[:2] == ["--world", "w"] and parsed(*flags[2:]) == made


def test_help_is_in_both_languages_and_shows_the_default() -> None:
    rate = next(item for item in declared(Settings) if item.name == "rate")
    assert (rate.help("en"), rate.help("zh")) == ("how fast (default: 0.5)", "多快（默认 0.5）")


@pytest.mark.parametrize("name", stages.SCRIPTS)
def test_every_option_of_every_stage_has_help_in_both_languages(name: str) -> None:
    found = list(declared(stages.find(name).settings))
    assert found or name == "doctor"
    assert len({item.flag for item in found}) == len(found), "two options of one name"
    for item in found:
        assert item.option.en.strip() and any("一" <= mark <= "鿿" for mark in item.option.zh), (
            item.flag
        )
