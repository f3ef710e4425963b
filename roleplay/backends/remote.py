"""A model behind any OpenAI-compatible server as the one that talks: vLLM, Ollama, DeepSeek, ...

    use_key("https://api.example.com/v1", "sk-...")          # or OPENAI_API_KEY
    backend = RemoteBackend("http://localhost:8000/v1", "qwen3-8b")
    for snapshot in backend.stream(prompt, n=5, params=SamplingParams()):
        print(snapshot)

The prompt is the script as every model here reads it. ``/completions`` continues it; a server that
has only ``/chat/completions`` is asked there to write the next line. Which of the two it knows, and
whether it gives several candidates at once, is learnt with the first answer. A key is kept in this
process alone.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Literal

import httpx2
import openai

from roleplay.errors import ModelError
from roleplay.prompts import Prompt
from roleplay.proxies import is_loopback
from roleplay.sampling import SamplingParams, check_samples

Form = Literal["completions", "chat"]

CONTEXT = 8192
"""Tokens that a server is taken to hold; one that holds less says so itself."""

_TIMEOUT = 120.0
_SYSTEM = (
    "下面是一段剧本。请只续写最后一个角色接下来的一行，用这个角色的口吻，"
    "不要写名字，不要解释，不要写别人的话。\n"
    "Below is a script. Continue it with the next single line of its last speaker only, in that "
    "speaker's voice: no name, no comment, nobody else's lines."
)
_NO_COMPLETIONS = (400, 404, 405, 415, 422, 501)
_REASONS = {401: "remote.key", 403: "remote.key", 404: "remote.missing", 429: "remote.busy"}
_PER_CHARACTER = 0.34  # tokens of an ASCII character; any other is one
_A_KEY = 8

_keys: dict[str, str] = {}


def use_key(address: str, key: str) -> None:
    """Keep the key of an address for as long as this process lives; empty forgets it."""
    _keys.pop(address.strip(), None)
    if key.strip():
        _keys[address.strip()] = key.strip()


def key_of(address: str) -> str:
    """The key of an address: the one given for it, else OPENAI_API_KEY, empty for none."""
    return _keys.get(address.strip()) or os.environ.get("OPENAI_API_KEY", "").strip()


class RemoteBackend:
    """A model at an address. Several prompts may run at once; the server orders them."""

    def __init__(self, address: str, model: str, *, context: int = CONTEXT) -> None:
        """Take the address up to ``/v1`` and the model's name there.

        Raises:
            ModelError: the address is none, the model has no name, or the key is of no form.
        """
        self.address, self.model, self.context = address.strip(), model.strip(), context
        self.name = f"{self.model} @ {self.address}"
        self._form: Form | None = None
        self._alone = False  # whether it gives one candidate, however many are asked for
        if not self.model:
            raise ModelError("remote.no-name", url=self.address)
        if not self._key.isascii():
            raise ModelError("remote.key-form", url=self.address)
        try:
            url = httpx2.URL(self.address)
            if url.scheme not in ("http", "https") or not url.host:
                raise ValueError(self.address)
            # A proxy has no way to this machine's own address.
            http = httpx2.Client(follow_redirects=True, trust_env=not is_loopback(url.host))
            more: dict[str, Any] = {"max_retries": 1, "timeout": _TIMEOUT, "http_client": http}
            path = url.path.rstrip("/").removesuffix("/chat/completions")
            base = url.copy_with(path=path.removesuffix("/completions"))
            self._client = openai.OpenAI(api_key=self._key or "none", base_url=base, **more)
        except (httpx2.InvalidURL, ValueError, ImportError) as error:
            raise ModelError("remote.address", url=self.address) from error

    @property
    def _key(self) -> str:
        return key_of(self.address)

    def count(self, text: str) -> int:
        """Tokens of ``text``, an upper estimate: what the server counts with is not known."""
        plain = sum(character < "\x80" for character in text)
        return round(plain * _PER_CHARACTER) + len(text) - plain

    def paused(self) -> AbstractContextManager[Any]:
        """Nothing to wait for: no memory of ours is in use."""
        return nullcontext()

    def check(self) -> None:
        """Ask for one word, so that a wrong address, key or model is told at once.

        Raises:
            ModelError: as :meth:`stream`.
        """
        for _ in self.stream(
            Prompt(("你好。\n",)), n=1, params=SamplingParams.checked(max_new_tokens=1)
        ):
            return

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        """The replies of ``n`` candidates as they grow, each up to its line break.

        Raises:
            SamplingError: ``n`` is out of range.
            ModelError: the server cannot be reached or refuses; the message says what to do.
        """
        check_samples(n)
        texts: list[str] = [""] * n
        cue, first = prompt.segments[-1], 0

        def shown() -> list[str]:
            return [_line(text, cue) for text in texts]

        while first < n:
            wanted = 1 if self._alone else n - first
            seen: set[int] = set()
            for place, piece in self._pieces(prompt, wanted, params, first):
                if place < wanted:
                    seen.add(place)
                    texts[first + place] += piece
                    yield shown()
            if wanted > 1 and seen <= {0}:
                self._alone = True  # the next round asks for one at a time
            first += max(len(seen), 1) if wanted > 1 else 1
        yield shown()

    def _pieces(
        self, prompt: Prompt, n: int, params: SamplingParams, first: int
    ) -> Iterator[tuple[int, str]]:
        """(candidate, what comes next of it), from whichever way of asking the server knows."""
        forms: tuple[Form, ...] = (self._form,) if self._form else ("completions", "chat")
        for form in forms:
            try:
                with self._ask(form, prompt, n, params, first) as stream:
                    self._form = form
                    for chunk in stream:
                        for choice in chunk.choices or ():
                            yield choice.index or 0, _text_of(form, choice)
                return
            except openai.APIStatusError as error:
                other = form == "completions" and self._form is None
                if other and error.status_code in _NO_COMPLETIONS:
                    self._form = None
                    continue
                raise self._refused(error) from error
            except (openai.APIError, httpx2.HTTPError, httpx2.InvalidURL) as error:
                self._form = self._form if self._form != form else None
                raise ModelError("remote.unreachable", url=self.address) from error

    def _ask(self, form: Form, prompt: Prompt, n: int, params: SamplingParams, first: int) -> Any:
        more: dict[str, Any] = {"model": self.model, "stream": True, "top_p": params.top_p}
        more |= {"temperature": params.temperature, "max_tokens": params.max_new_tokens}
        more |= {"n": n} if n > 1 else {}
        more |= {} if params.seed is None else {"seed": params.seed + first}
        # The key may have been given since, or changed.
        client = self._client.with_options(api_key=self._key or "none")
        if form == "completions":
            return client.completions.create(prompt=prompt.text, stop=["\n"], **more)
        told: Any = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": prompt.text},
        ]
        return client.chat.completions.create(messages=told, **more)

    def _refused(self, error: openai.APIStatusError) -> ModelError:
        said = ""
        with suppress(Exception):  # whatever stands in the body of an error
            body = error.body if isinstance(error.body, dict) else {}
            said = str(body.get("message") or body.get("error") or "")[:200]
        if len(self._key) >= _A_KEY:  # some errors repeat it
            said = said.replace(self._key, "...")
        key = _REASONS.get(error.status_code, "remote.refused")
        known = {"url": self.address, "status": error.status_code, "detail": said or "-"}
        return ModelError(key, model=self.model, **known)


def _text_of(form: Form, choice: Any) -> str:
    if form == "completions":
        return str(choice.text or "")
    return str(getattr(choice.delta, "content", None) or "")


def _line(text: str, cue: str) -> str:
    """The first line of an answer, without the name that a chat may repeat."""
    told = text.lstrip().removeprefix(cue).lstrip()
    return told.split("\n")[0].rstrip()
