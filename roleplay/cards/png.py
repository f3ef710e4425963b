"""Cards in pictures: JSON as base64 in text chunks of a PNG, ``ccv3`` and ``chara``.

    texts, picture = split_png(data)        # {"ccv3": "eyJzcGVj…"}, the PNG without them
    join_png(picture, {"ccv3": text})       # the PNG with its chunks before the end

Text chunks of all three kinds are read (plain, compressed, international), whatever their checksum;
plain ones are written. Pictures are never decoded here.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from roleplay.cards.documents import MOST_BYTES
from roleplay.errors import CardError

MAGIC = b"\x89PNG\r\n\x1a\n"
ASSET = "chara-ext-asset_:"
"""What the keyword of an asset's chunk begins with."""
_CARD = re.compile(rf"chara|ccv3|{re.escape(ASSET)}.*", re.I)
_CHUNK = struct.Struct(">I4s")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_END = b"IEND"
_LARGEST_SIDE = 16_384
_MOST_TEXT = 4 * MOST_BYTES


class _Chunk(NamedTuple):
    kind: bytes
    data: bytes


def split_png(data: bytes) -> tuple[dict[str, str], bytes | None]:
    """The texts of a card by keyword (in lower case), and the picture without them.

    There is no picture where the file breaks off, or its header is none.

    Raises:
        CardError: a text grows too large when it is unpacked, or cannot be.
    """
    texts: dict[str, str] = {}
    others = []
    for chunk in _chunks(data):
        found = _text(chunk) if chunk.kind in _TEXTS else None
        if found and _CARD.fullmatch(found[0]):
            # The first of a keyword counts, as in the programs that write them.
            texts.setdefault(found[0].lower(), found[1])
            if sum(map(len, texts.values())) > _MOST_TEXT:
                raise _too_large()
        else:
            others.append(chunk)
    whole = bool(others) and others[-1].kind == _END and _has_size(others[0])
    return texts, _written(others) if whole else None


def join_png(picture: bytes, texts: Mapping[str, str]) -> bytes:
    """The picture with these texts before its end, and without those of a card that were in it.

    Raises CardError: it is no whole PNG.
    """
    _, bare = split_png(picture) if picture.startswith(MAGIC) else ({}, None)
    if bare is None:
        raise CardError("cards.no-picture")
    own = [
        _Chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1"))
        for key, text in texts.items()
    ]
    *before, end = _chunks(bare)
    return _written([*before, *own, end])


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height, as the header of a whole PNG says."""
    width, height = struct.unpack_from(">II", picture, len(MAGIC) + _CHUNK.size)
    return width, height


def png_of_rows(width: int, rows: list[bytes]) -> bytes:
    """A PNG of rows of red, green and blue bytes."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return _written([_Chunk(b"IHDR", header), _Chunk(b"IDAT", lines), _Chunk(_END, b"")])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks up to the end, or up to where the file breaks off."""
    at = len(MAGIC)
    while at + _CHUNK.size <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        start = at + _CHUNK.size
        if start + length + 4 > len(data):
            return
        yield _Chunk(kind, data[start : start + length])
        if kind == _END:
            return
        at = start + length + 4


def _text(chunk: _Chunk) -> tuple[str, str]:
    """Keyword and text of a chunk."""
    name, _, rest = chunk.data.partition(b"\0")
    keyword = name.decode("latin-1").strip()
    if not _CARD.fullmatch(keyword):
        return keyword, ""
    packed = chunk.kind == b"zTXt"
    if chunk.kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    return keyword, (_unpacked(rest) if packed else rest).decode("utf-8", "replace")


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise CardError("cards.no-zlib") from error
    if unpacker.unconsumed_tail:
        raise _too_large()
    return text


def _too_large() -> CardError:
    most = MOST_BYTES // 1_000_000
    return CardError("cards.large", size=f"> {most}", most=most)


def _has_size(header: _Chunk) -> bool:
    if header.kind != b"IHDR" or len(header.data) != 13:
        return False
    return all(0 < side <= _LARGEST_SIDE for side in struct.unpack_from(">II", header.data))


def _written(chunks: list[_Chunk]) -> bytes:
    parts = [MAGIC]
    for kind, data in chunks:
        parts += [_CHUNK.pack(len(data), kind), data, _CHUNK.pack(zlib.crc32(kind + data), b"")[:4]]
    return b"".join(parts)
