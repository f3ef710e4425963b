"""JSON of strangers: read leniently and within limits, written strictly.

    read_json(data)         # {"spec": "chara_card_v2", ...}
    write_json(document)    # UTF-8 without a mark, indented, the same bytes for the same document

What is read can always be written again: lone halves of characters, NaN and infinities are mended.
Of keys that stand twice the last one counts, as in every browser.
"""

import json
import math
from typing import Any

from roleplay.errors import CardError

Json = dict[str, Any]
"""An object of a JSON document."""

MOST_BYTES = 64_000_000
_MOST_PARTS = 2_000_000
_DEEPEST = 64
_ENCODINGS = ("utf-8-sig", "gb18030")
_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_json(data: bytes) -> Any:
    """The document.

    Raises:
        CardError: it is no text, no JSON, too large, has too many parts, or nests too deep.
    """
    if len(data) > MOST_BYTES:
        raise CardError("cards.large", size=len(data) // 1_000_000, most=MOST_BYTES // 1_000_000)
    # A few bytes of text make an object a hundred times as large.
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_PARTS:
        raise CardError("cards.many-parts", most=_MOST_PARTS)
    try:
        return _mended(json.loads(read_text(data)), _DEEPEST)
    except RecursionError as error:
        raise CardError("cards.deep", most=_DEEPEST) from error
    except json.JSONDecodeError as error:
        raise CardError("cards.no-json", line=error.lineno, column=error.colno) from error
    except ValueError as error:  # a number of more digits than Python reads
        raise CardError("cards.no-json", line=1, column=1) from error


def read_text(data: bytes) -> str:
    """The text of a file: UTF-8, with a mark or without, else UTF-16 with a mark, else GB18030.

    Raises CardError: it is none of them.
    """
    for encoding in ("utf-16",) if data[:2] in _MARKS else _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CardError("cards.no-text")


def write_json(document: Any, *, indent: int | None = 2) -> bytes:
    """The bytes of a document that :func:`read_json` gave, or of one made of such."""
    text = json.dumps(document, ensure_ascii=False, indent=indent, allow_nan=False)
    return f"{text}\n".encode()


def _mended(value: Any, left: int) -> Any:
    """The value without what JSON or UTF-8 cannot hold. Raises CardError: it nests too deep."""
    if left < 0:
        raise CardError("cards.deep", most=_DEEPEST)
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, list):
        return [_mended(part, left - 1) for part in value]
    if isinstance(value, dict):
        return {_whole(key): _mended(part, left - 1) for key, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
