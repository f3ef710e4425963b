"""Requirements: the pins lie in the ranges, and a resolver finds versions at both ends of them."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest
import versions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def lines(name: str) -> dict[str, Requirement]:
    """The requirements of a file by their canonical name."""
    texts = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(text) for text in texts if text and not text.startswith("#")]
    return {canonicalize_name(one.name): one for one in found}


def test_every_requirement_has_one_pin_in_its_range() -> None:
    ranges, pins = lines("requirements.txt"), lines("constraints.txt")
    assert list(ranges) == list(pins) == sorted(pins, key=str)
    for name, pin in pins.items():
        (exact,) = pin.specifier
        assert exact.operator == "==", pin
        assert exact.version in ranges[name].specifier, (name, exact.version)


def test_every_range_has_a_lower_end() -> None:
    for name, wanted in lines("requirements.txt").items():
        assert any(part.operator == ">=" for part in wanted.specifier), name


def test_what_runs_here_is_in_the_ranges() -> None:
    for name, wanted in lines("requirements.txt").items():
        try:
            found = version(name)
        except PackageNotFoundError:  # only for another system
            assert wanted.marker, name
            continue
        assert found.split("+")[0] in wanted.specifier, (name, found)


@pytest.mark.parametrize("row", versions.ROWS, ids=lambda row: row.name)
def test_a_resolver_finds_versions(row: versions.Row, tmp_path: Path) -> None:
    if not find_spec("uv"):
        pytest.skip("uv, of requirements-dev.txt, is not installed")
    try:
        exact = versions.requirements(row, tmp_path)
    except subprocess.CalledProcessError as error:
        if "No solution found" in error.stderr:
            raise AssertionError(error.stderr) from error
        pytest.skip(f"the package index does not answer: {error.stderr[:200]}")
    found = exact.read_text(encoding="utf-8")
    assert "\ntorch==2.9." in found if row.lowest else "\ntorch==2.1" in found


def test_ranges_that_cannot_be_met_are_seen(tmp_path: Path) -> None:
    if not find_spec("uv"):
        pytest.skip("uv, of requirements-dev.txt, is not installed")
    with pytest.raises(subprocess.CalledProcessError):
        versions.requirements(versions.Row("none", "3.13", pins=("torch==1.0",)), tmp_path)
