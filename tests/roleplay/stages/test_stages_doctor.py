"""What the doctor sees: a machine as it is, and one that lacks what is asked for."""

from pathlib import Path

import pytest

from roleplay.stages import doctor
from roleplay.stages.progress import Event


def test_everything_is_told_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_bytes", lambda device: 3 * 2**30)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-mine")
    events: list[Event] = []
    found = {row.name: row.fine for row in doctor.run(doctor.Settings(), events.append)}
    assert found["talk"] and found["key"] and not found["train"] and not found["chatglm"]
    for language in ("zh", "en"):
        told = [event.message.text(language) for event in events]
        assert len(told) == len(found)
        assert all(
            line[0] == ("✓" if fine else "✗")
            for line, fine in zip(told, found.values(), strict=True)
        )
        assert not any("secret-of-mine" in line for line in told)


def test_what_is_missing_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ROLEPLAY_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    events: list[Event] = []
    found = {row.name for row in doctor.run(doctor.Settings(), events.append) if not row.fine}
    assert found >= {"compiler", "model", "key", "browser"}
    told = "\n".join(event.message.text("en") for event in events)
    assert "install gcc or clang" in told and "apt-get install chromium" in told
