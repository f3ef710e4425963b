"""What every test has: messages in English, whatever the terminal speaks."""

from __future__ import annotations

import signal

import pytest

from roleplay import messages


@pytest.fixture(autouse=True)
def _english_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROLEPLAY_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    messages.speak("en")


def pytest_configure() -> None:
    # A job in the background ignores Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
