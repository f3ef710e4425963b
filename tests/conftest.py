"""What every test has: messages in English, whatever the terminal speaks."""

from __future__ import annotations

import pytest

from roleplay import messages


@pytest.fixture(autouse=True)
def _english_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROLEPLAY_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    messages.speak("en")
