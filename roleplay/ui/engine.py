"""The model behind the page: it loads in a thread while the page is already up, and says how far it is.

engine = Engine(lambda tell: make_player(tell))
engine.start()
engine.status()     # ("loading", "step 2 of 3: ..."), then ("ready", "gemma3-270m + chuiyan…") or ("failed", "…")
engine.player()     # waits for it
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from roleplay.dialogue import Player
from roleplay.errors import ModelError

State = Literal["loading", "ready", "failed"]
Tell = Callable[[str], None]


class Engine:
    """Loads a :class:`~roleplay.dialogue.Player` once and hands it out."""

    def __init__(self, load: Callable[[Tell], Player]) -> None:
        """``load`` is called once, in a thread, with a function that takes progress lines."""
        self._load = load
        self._state: State = "loading"
        self._text = ""
        self._player: Player | None = None
        self._finished = threading.Event()

    def start(self) -> None:
        """Begin to load."""
        threading.Thread(target=self._run, daemon=True, name="load-model").start()

    def status(self) -> tuple[State, str]:
        """The state, and one line about it."""
        return self._state, self._text

    def player(self, timeout: float = 600) -> Player:
        """The player, as soon as it is there.

        Raises:
            ModelError: loading failed (its one-line reason), or took longer than ``timeout`` seconds.
        """
        if not self._finished.wait(timeout):
            raise ModelError(f"the model is still loading after {timeout:.0f} s ({self._text}): try again later")
        if self._player is None:
            raise ModelError(self._text)
        return self._player

    def _run(self) -> None:
        try:
            self._player = self._load(self._tell)
            self._state, self._text = "ready", self._player.backend.name
        except Exception as error:  # a thread's error would vanish: whatever it is, the page and the log show it
            self._state, self._text = "failed", str(error) or type(error).__name__
        print(f"model: {self._state}: {self._text}", flush=True)
        self._finished.set()

    def _tell(self, text: str) -> None:
        self._text = text
        print(f"model: {text}", flush=True)
