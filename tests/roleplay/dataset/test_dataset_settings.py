"""Settings of a data set: bounds told all at once, and shares with their factor."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import pytest

from roleplay.background import Query, Snippet
from roleplay.dataset.settings import BuildContext, DatasetSettings
from roleplay.errors import UsageError
from roleplay.options import add_options, read_options

SHARES = {"identity": 0.03, "unknown": 0.01, "context_qa": 0.02, "general": 0.02}


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_protection_is_a_factor_of_its_shares(factor: float) -> None:
    settings = DatasetSettings(protection=factor)
    expected = {f"{name}_share": share * factor for name, share in SHARES.items()}
    assert settings.shares == expected
    assert settings.protection_share == sum(expected.values())


def test_effective_settings_are_those_that_would_do_the_same_without_a_factor() -> None:
    effective = DatasetSettings(protection=0.5, seed=8).effective()
    assert "protection" not in effective and effective["identity_share"] == 0.015
    assert DatasetSettings(**effective).shares == DatasetSettings(protection=0.5).shares
    assert list(effective) == [name for name in asdict(DatasetSettings()) if name != "protection"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"interview_share": 1.0}, "--interview-share must be below 1"),
        ({"replay_share": 1.0}, "--replay-share must be below 1"),
        ({"identity_share": 0.97}, "general together, must be below 1, not 1.02"),
        ({"protection": 15.0}, "general together, must be below 1, not 1.2"),
        ({"protection": -1.0}, "--protection must be at least 0, not -1.0"),
        ({"min_score": float("nan")}, "--min-score must be at least 0, not nan"),
        ({"mode": "some"}, "--mode must be one of one many profile, not 'some'"),
        ({"scene_tokens": 0}, "--scene-tokens must be at least 1, not 0"),
    ],
)
def test_what_is_out_of_range(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        DatasetSettings(**given)
    assert told in str(caught.value)
    assert caught.value.text("zh") != str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        DatasetSettings(test_share=2.0, snippets=0, interview_share=1.0)
    told = str(caught.value)
    assert all(flag in told for flag in ("--test-share", "--snippets", "--interview-share"))


def test_earlier_names_of_flags_are_understood() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, DatasetSettings)
    flags = ["--reading-share", "0.2", "--flavour", "drop"]
    settings = read_options(DatasetSettings, parser.parse_args(flags))
    assert (settings.context_qa_share, settings.assistant_isms) == (0.2, "drop")


def test_held_out_scenes_have_no_chance_in_them() -> None:
    assert DatasetSettings().for_test().background_share == 0
    assert DatasetSettings(test_background=True, profile_drop=0.9).for_test().profile_drop == 0
    assert DatasetSettings(test_background=True).for_test().background_share == 1


def test_background_that_fits_too_badly_is_not_shown() -> None:
    found = [Snippet("雨停了。", 0.9), Snippet("钟响了。", 0.1)]
    context = BuildContext(("闻筝",), len, retriever=lambda query, k, **_: found[:k])
    query = Query("雨", 2, "闻筝")
    assert context.searched([query]).snippets(query) == found[:1]
