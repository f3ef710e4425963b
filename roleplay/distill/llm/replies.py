"""What a model really returned -> labels; what cannot be read is asked again, never guessed.

    read_labels('[{"n": 2, "kind": "say" "speaker": "闻筝"}, {"n": 3, "ki', {2, 3})
    # Reading(labels={2: Label(n=2, kind="say", speaker="闻筝", ...)}, faults=("a cut object",))

Each object is read by itself, so that bare objects, text around a list, code fences, missing and
trailing commas, full-width marks, O\\'Brien and a cut end cost at most the object they stand in.
What a model thinks aloud (<think>...</think>) is no answer.
"""

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from roleplay.distill.labels.spans import Label, LabelKind
from roleplay.distill.llm.ledger import CUT, Entry, scrub
from roleplay.records import EXPRESSIONS

NOBODY = frozenset(
    {"", "unknown", "null", "none", "未知", "不明", "旁白", "叙述", "narrator", "narration"}
)
"""Speakers that name no person."""

_BRACES = str.maketrans("｛｝［］", "{}[]")
_OBJECT = re.compile(r"\{[^{}]*\}")
_CUT = re.compile(r"\{[^{}]*$")
# Only with escapes that JSON knows: what json.loads would refuse is left unread.
_STRING = r"\"(?:[^\"\\\x00-\x1f]|\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4}))*\"|“[^”\n]*”|'[^'\n]*'"
# A value must end where the next key, a comma or the object's end is: "闻"筝" is left unread. Keys
# are short, or a long word would be tried from each of its letters.
_PAIR = re.compile(
    rf"[\"“”']?(?P<key>[A-Za-z_]\w{{0,40}})[\"“”']?\s*[:：]\s*(?P<value>{_STRING}|-?[\d.０-９]+%?|"
    rf"null|true|false|None)"
    r"(?=\s*(?:[,，、}\"“”']|$))"
)
_LEFT_OVER = re.compile(r"[\s,，、{}]*")
# JSON escapes no such mark, Python, JavaScript and Markdown do: \' \_ \(
_ESCAPED = re.compile(r"\\\\|\\([^\w\s\"/])")
# DeepSeek, Qwen and most others; Kimi; gpt-oss, whose answer stands in the channel "final".
_THINKING = re.compile(
    r"<(?P<end>/?)(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|reasoning|analysis)>|◁(?P<shut>/?)think▷"
    r"|<\|channel\|>(?P<final>final)?\w{0,20}(?:<\|message\|>)?",
    re.I,
)
_WORDS = {"null": None, "None": None, "true": True, "false": False}


@dataclass(frozen=True)
class Reading:
    """The labels that could be read, by span number, and one short line for each fault."""

    labels: Mapping[int, Label]
    faults: tuple[str, ...] = ()


def read_labels(reply: str, numbers: Collection[int]) -> Reading:
    """The labels for ``numbers``; others, double and contradictory ones are faults, not labels."""
    objects, faults = read_objects(reply)
    labels: dict[int, Label] = {}
    double: set[int] = set()
    for item in objects:
        label = _label(item)
        if label is None:
            faults.append(f"no label: {str(item)[:60]}")
        elif label.n not in numbers:
            faults.append(f"no span {label.n}")
        elif labels.setdefault(label.n, label) != label:
            double.add(label.n)
    faults += [f"span {number} has two labels" for number in sorted(double)]
    return Reading({n: label for n, label in labels.items() if n not in double}, tuple(faults))


def read_objects(reply: str) -> tuple[list[dict[str, Any]], list[str]]:
    """All flat objects of a reply, in order, and the faults of those that could not be read."""
    text = answer_of(scrub(reply)).translate(_BRACES)
    objects, faults = [], []
    for match in _OBJECT.finditer(text):
        item = _read(match[0])
        if item is None:
            faults.append(f"unreadable: {match[0][:60]}")
        elif item:
            objects.append(item)
    cut = _CUT.search(text)
    if cut and cut[0].strip("{ \n"):
        faults.append("a cut object")
    return objects, faults if objects or faults else ["no object in the reply"]


def is_empty(entry: Entry) -> bool:
    """Whether an answer was cut before its first whole object, by thinking or by talking."""
    return entry.finish == CUT and not read_objects(entry.text)[0]


def answer_of(reply: str) -> str:
    """What stands outside of thinking blocks; a prompt may have opened the first."""
    kept, at, thinking = "", 0, False
    for match in _THINKING.finditer(reply):
        told = reply[at : match.start()]
        ends = bool(match["end"] or match["shut"] or match["final"])
        kept = kept if thinking else "" if ends else kept + told
        at, thinking = match.end(), not ends
    return kept if thinking else kept + reply[at:]


def _read(text: str) -> dict[str, Any] | None:
    """One object: as JSON, else pair by pair; None if something is left over or a key is double."""
    text = _ESCAPED.sub(lambda match: match[1] or match[0], text)
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        if _LEFT_OVER.fullmatch(_PAIR.sub("", text)) is None:
            return None
        pairs = [(match["key"], _value(match["value"])) for match in _PAIR.finditer(text)]
    item = {scrub(name): _plain(value) for name, value in pairs}
    return item if len(item) == len(pairs) else None


def _plain(value: Any) -> Any:
    """A value without half an emoji, which may stand in an escape; a list, of any depth, is ()."""
    return scrub(value) if isinstance(value, str) else () if isinstance(value, list) else value


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == '"':
        return json.loads(text)
    return text[1:-1] if text[0] in "“'" else text


def _label(item: Mapping[str, Any]) -> Label | None:
    """The label of one object; None if its number, kind or speaker is missing or no such thing."""
    number, speaker, expression = item.get("n"), item.get("speaker"), item.get("expression")
    kind = next((known for known in get_args(LabelKind) if known == item.get("kind")), None)
    # True is a number to Python, and "1" is one to many models.
    if isinstance(number, bool) or not re.fullmatch(r"\d{1,6}", str(number)):
        return None
    if kind is None or not isinstance(speaker, str | None):
        return None
    named = (speaker or "").strip()
    return Label(
        n=int(str(number)),
        kind=kind,
        speaker=None if named.lower() in NOBODY else named,
        expression=expression if expression in EXPRESSIONS else None,
        confidence=_share(item.get("confidence")),
    )


def _share(value: Any) -> float:
    """A confidence as 0 to 1: 0.9, "90%" and 90 are the same; 0.5 where there is none."""
    with suppress(ValueError):
        number = float(str(value).removesuffix("%"))
        number = number / 100 if number > 1 else number
        return number if 0 <= number <= 1 else 0.5
    return 0.5
