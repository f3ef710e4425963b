"""What an endpoint sent, read without ever raising: an answer, or what went wrong in its words.

    read_completion(200, data, key="3f…", task="label", model="m", prompt_tokens=900)
    # Entry(text='{"labels": []}', finish="stop", ...), or
    # Fault(status=429, said="Rate limit exceeded")

Gateways answer 200 with an error inside, a list of parts, no choices, no usage, half an emoji. A
refusal of what a request says is an answer (``finish`` is ``REFUSED``): it is kept like any other.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roleplay.distill.llm.costs import count_tokens
from roleplay.distill.llm.ledger import CUT, REFUSED, Entry, scrub

_LONGEST_SAID = 200
_MOST_TOKENS = 10**9
_OF_A_MESSAGE = {"role", "content", "text", "refusal", "reasoning", "reasoning_content"}
# As OpenAI, Anthropic, Google (MAX_TOKENS) and Mistral call it.
_CUTS = ("length", "max_tokens", "max_output_tokens", "model_length", "incomplete")
_FILTERED = re.compile(r"filter|sensitive|safety|prohibited|block|spii|recitation|refus|moderat")
# Of errors: the words of Azure, OpenAI, DashScope, DeepSeek, Moonshot, Zhipu, Volcengine, xAI.
# Names of models are case-sensitive, which is no refusal.
_ABOUT_CONTENT = re.compile(
    r"content[ _]?(?:filter|management|policy|exists risk|violat)|usage (?:polic|guideline)|"
    r"data_?inspection|inappropriate|(?<!case[- ])sensitive|high[ _]risk|moderation|flagged|"
    r"responsible.?ai|invalid_prompt|safety|敏感|违规|不合规|不安全|内容安全|风险",
    re.I,
)
# Error objects hold their text under one of these, sometimes an object or a list in between.
_SAID = ("message", "msg", "error_msg", "status_msg", "detail", "error", "errors", "base_resp")
_STATUS = re.compile(r'"(?:code|status|status_code|error_code)": "?([45]\d\d)\b')


@dataclass(frozen=True)
class Fault:
    """No answer: the HTTP status or that of the error inside (0: none), its words, all of it."""

    status: int
    said: str = ""
    whole: str = ""
    is_error: bool = True
    """False of what does not call itself one: a web page, JSON of another kind."""

    @property
    def is_about_content(self) -> bool:
        """Whether the endpoint refused what this one request says; another may pass."""
        return self.status in (0, 400, 403, 422, 451) and bool(_ABOUT_CONTENT.search(self.whole))


def parse(data: bytes) -> Any:
    """JSON of any size, depth and encoding, or the text itself where it is none."""
    text = data.decode("utf-8-sig", "replace")
    try:
        # Python reads no int of more than 4,300 digits.
        return json.loads(text, parse_int=lambda n: int(n) if len(n) < 20 else float(n))
    except (ValueError, RecursionError):
        return text


def read_completion(
    status: int, body: Any, *, key: str, task: str, model: str, prompt_tokens: int = 0
) -> Entry | Fault:
    """The answer in a parsed body; ``prompt_tokens`` are those of an endpoint that counts none."""
    entry = {"key": key, "task": task, "model": model, "finish": REFUSED}
    try:
        body = _first(body) or body
        told = _first(body)
        choice = _first(told.get("choices")) if status < 300 else {}
        message = _first(choice.get("message") or choice.get("delta")) or choice
        text = _text(message.get("content", message.get("text")))
        broken = choice.get("error") or told.get("error")
        if not text and (broken or not message.keys() & _OF_A_MESSAGE):
            fault = _fault(status, {"error": broken} if broken else body, bool(told))
            refused = told and fault.is_about_content
            return Entry.model_validate(entry | {"text": fault.said}) if refused else fault
        thought = _text(message.get("reasoning_content") or message.get("reasoning"))
        finish = str(choice.get("finish_reason") or "stop").lower()[:40]
        refusal = _text(message.get("refusal"))
    except RecursionError:  # lists in lists, as deep as JSON could just be read
        return Fault(status)
    if not _FILTERED.search(finish) and (text or not refusal):
        entry["finish"] = CUT if broken or finish in _CUTS else finish
    used = _usage(told.get("usage"), prompt_tokens, count_tokens(text + thought))
    return Entry.model_validate({**entry, **used, "text": text or refusal})


def _fault(status: int, body: Any, is_json: bool) -> Fault:
    whole = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    said = " ".join(re.sub(r"<[^>]*>", " ", _words(body)).split())[:_LONGEST_SAID]
    inside = _STATUS.search(whole)
    real = int(inside[1]) if status < 300 and inside else 0 if status < 300 else status
    return Fault(real, scrub(said), scrub(whole), bool(is_json and said))


def _words(value: Any) -> str:
    """What an error says; of a page its text."""
    if isinstance(value, list):
        return " ".join(map(_words, value[:3]))
    if isinstance(value, Mapping):
        found = (_words(value.get(name)) for name in _SAID)
        return next((words for words in found if words.strip()), "")
    return value if isinstance(value, str) else ""


def _first(value: Any) -> Mapping[str, Any]:
    """An object, or the first of a list; an empty one for all else."""
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, Mapping) else {}


def _text(content: Any) -> str:
    """Content as text: a string, parts of which those that think are left out, or an object."""
    if isinstance(content, list):
        return "".join(map(_text, content))
    if not isinstance(content, Mapping):
        return "" if content is None else scrub(str(content))
    if re.search("think|reason", str(content.get("type"))):
        return ""
    inner = [content[name] for name in ("text", "content", "value") if name in content]
    return _text(inner[0]) if inner else json.dumps(content)


def _usage(usage: Any, read: int, wrote: int) -> dict[str, int]:
    """The tokens as the endpoint counted them, else the estimates."""
    counts = {"prompt_tokens": read, "completion_tokens": wrote}
    for name, other in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
        value = _first(usage).get(name) or _first(usage).get(other)
        if isinstance(value, int | float) and 0 < value < _MOST_TOKENS:
            counts[name] = int(value)
    return counts
