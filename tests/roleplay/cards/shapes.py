"""Card files as programs write them, made after the specifications; nothing of anybody's is here."""

from __future__ import annotations

import base64
import json
import struct
import zipfile
import zlib
from io import BytesIO
from typing import Any

from roleplay.cards.png import png_of_rows

Json = dict[str, Any]

PICTURE = png_of_rows(32, [b"\x20\x80\xc0" * 32] * 32)
DOT = png_of_rows(1, [b"\0\0\0"])
FIELDS: Json = {
    "name": "闻筝",
    "description": "{{char}}是滴答铺的学徒，急性子。",
    "personality": "嘴硬心软",
    "scenario": "{{user}}来修伞。",
    "first_mes": "*从梁上探出头* 没得商量，排队。",
    "mes_example": "<START>\n{{user}}: 早\n{{char}}: 晚了。 *收起扳手*\n<START>\n<USER>: 修吗？\n<BOT>: 修。",
}
ENTRY: Json = {
    "keys": ["闻笛", "笛子🎶"],
    "content": "闻笛是{{char}}的母亲。",
    "extensions": {"depth": 4, "other/tool": {"x": [1, None, "é"]}},
    "enabled": True,
    "insertion_order": 7,
    "name": "闻笛",
    "mood": "unknown to all",
}
BOOK: Json = {"name": "滴答铺", "scan_depth": 3, "extensions": {"my/book": 1}, "entries": [ENTRY]}
SECOND: Json = {
    **FIELDS,
    "creator_notes": "笔记",
    "system_prompt": "",
    "post_history_instructions": "",
    "alternate_greetings": ["今天漏不漏？"],
    "tags": ["雨"],
    "creator": "某人",
    "character_version": "1.1",
    "extensions": {"fav": False, "depth_prompt": {"prompt": "", "depth": 4}},
}
DECORATED = (
    "@@depth 4\n@@role assistant\n@@made_up x\n@@@instead y\n@@additional_keys 阿笛\n她在雨里。"
)


def second(**more: Any) -> Json:
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {**SECOND, **more}}


def third(**more: Any) -> Json:
    data = {**SECOND, "group_only_greetings": [], **more}
    return {"spec": "chara_card_v3", "spec_version": "3.0", "data": data}


def dumped(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def encoded(document: Any) -> bytes:
    return base64.b64encode(dumped(document))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, picture: bytes = PICTURE) -> bytes:
    """The picture with chunks before its end, which is its last twelve bytes."""
    return picture[:-12] + b"".join(chunks) + picture[-12:]


def text_chunk(keyword: str, text: bytes) -> bytes:
    return chunk(b"tEXt", keyword.encode() + b"\0" + text)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def entries(count: int) -> list[Json]:
    return [{**ENTRY, "keys": [f"词{i}"], "name": f"词{i}", "id": i} for i in range(count)]


def asset(name: str, uri: str, kind: str = "icon") -> Json:
    return {"type": kind, "uri": uri, "name": name, "ext": "png"}


PATH = "assets/icon/image/main.png"
ASSETS = [asset("main", f"embeded://{PATH}"), asset("joy", "embeded://assets/e/joy.png", "emotion")]
CHARX = {"card.json": dumped(third(assets=ASSETS)), PATH: PICTURE, "assets/e/joy.png": PICTURE}
OUTER = {**FIELDS, "name": "旧名", "fav": False, "chat": "x", "create_date": "2024-1-1"}
OLDEST = {
    "char_name": "闻筝",
    "char_persona": "学徒",
    "char_greeting": "早。",
    "example_dialogue": "",
}

READ: dict[str, bytes] = {
    "V1, flat": dumped(FIELDS | {"avatar": "none"}),
    "V1 in a PNG": png(text_chunk("Chara", encoded(FIELDS))),
    "before V1": dumped(OLDEST),
    "V2 without a book": dumped(second()),
    "V2 with a book": dumped(second(character_book=BOOK)),
    "V2 with the fields of V1 outside": dumped(OUTER | second()),
    "V2 without its spec": dumped({"data": SECOND}),
    "V2 with wrong types": dumped(
        second(name=7, tags="雨, 伞", alternate_greetings=None, extensions=[], character_book=None)
    ),
    "V2 with a key twice": b'{"spec":"x",'
    + dumped(second(my=1))[1:-1]
    + b',"spec":"chara_card_v2"}',
    "V2 with a mark, in UTF-16": "\ufeff".encode("utf-16-le")
    + dumped(second()).decode().encode("utf-16-le"),
    "V2, saved by Windows": dumped(second()).decode().encode("gb18030"),
    "V2 in zTXt": png(chunk(b"zTXt", b"chara\0\0" + zlib.compress(encoded(second())))),
    "V2 in iTXt": png(chunk(b"iTXt", b"chara\0\1\0zh\0\0" + zlib.compress(encoded(second())))),
    "V2 as JSON in a PNG": png(text_chunk("chara", json.dumps(second()).encode())),
    "V2 in a 1x1 PNG": png(text_chunk("chara", encoded(second())), picture=DOT),
    "V2 in a PNG that breaks off": png(text_chunk("chara", encoded(second())))[:-6],
    "V3 with decorators": dumped(
        third(character_book={"entries": [ENTRY | {"content": DECORATED}]})
    ),
    "V3 of later": dumped(third(nickname="小筝") | {"spec_version": "3.7", "new": {"a": 1}}),
    "V3 as SillyTavern makes it": dumped(second(character_book=BOOK) | {"spec": "chara_card_v3"}),
    "PNG with both chunks": png(
        text_chunk("chara", encoded(second(name="旧"))), text_chunk("ccv3", encoded(third()))
    ),
    "PNG with assets": png(
        text_chunk(
            "ccv3", encoded(third(assets=[asset("main", "ccdefault:"), asset("a", "__asset:0")]))
        ),
        text_chunk("chara-ext-asset_:0", base64.b64encode(PICTURE)),
    ),
    "PNG whose V3 is broken": png(text_chunk("ccv3", b"!"), text_chunk("chara", encoded(second()))),
    "CHARX with assets": zipped(CHARX),
    "CHARX behind a JPEG": b"\xff\xd8\xff\xe0 picture \xff\xd9" + zipped(CHARX),
    "10,000 lore entries": dumped(second(character_book={"entries": entries(10_000)})),
    "emoji and half characters": b'{"name":"\\ud83d\\ude00\\ud800","description":"\\udc00","first_mes":""}',
    "numbers that are none": b'{"name":"a","first_mes":"","x":NaN,"y":1e999}',
}
"""What is read, by what it is."""

_DEEP = b'{"name":"a","first_mes":"","x":' + b"[" * 3000 + b"]" * 3000 + b"}"
_HUGE = b'{"name":"a","description":"' + b" " * 70_000_000 + b'"}'
_LIAR = zipped({"card.json": b" " * 3_000_000})
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b" \n", "the file is empty"),
    "no JSON": (b'{"name": "a",', "no JSON at line 1, column 14"),
    "a list": (b"[1]", "no character card"),
    "a lorebook": (dumped(BOOK), "no character card"),
    "another object": (b'{"name": "a"}', "no character card"),
    "random bytes": (b"\x00\xff\xfe\x81\x80", "no text in UTF-8"),
    "a JPEG": (b"\xff\xd8\xff\xe0" + b"\0" * 60, "a picture that is no PNG holds no card"),
    "a PNG without a card": (PICTURE, "the PNG holds no card"),
    "a PNG that breaks off before it": (PICTURE[:40], "the PNG breaks off before a card"),
    "broken base64": (png(text_chunk("chara", b"***")), "no base64"),
    "base64 of no JSON": (
        png(text_chunk("chara", base64.b64encode(b"hello"))),
        "no JSON at line 1",
    ),
    "a bomb in zTXt": (
        png(chunk(b"zTXt", b"chara\0\0" + zlib.compress(b" " * 70_000_000))),
        "> 64 MB are too large",
    ),
    "broken zTXt": (png(chunk(b"zTXt", b"chara\0\0abc")), "a compressed text in the PNG is broken"),
    "a bomb of levels": (_DEEP, "nests deeper than 64 levels"),
    "a few levels too many": (
        b'{"name":"a","first_mes":"","x":' + b"[" * 70 + b"]" * 70 + b"}",
        "nests deeper than 64 levels",
    ),
    "a bomb of parts": (b'{"x":[' + b"[]," * 1_000_000 + b"0]}", "more than 2000000 parts"),
    "70 MB": (_HUGE, "70 MB are too large, 64 are allowed"),
    "a number without an end": (b'{"name":"a","first_mes":"","x":' + b"9" * 5000 + b"}", "no JSON"),
    "data of another type": (
        dumped(second(description={"a": 1})),
        "data.description: .* is no text",
    ),
    "entries of another type": (
        dumped(second(character_book={"entries": ["x"]})),
        "data.character_book.entries.0: 'x' is no object",
    ),
    "20,001 lore entries": (
        dumped(second(character_book={"entries": entries(20_001)})),
        "has 20001 entries, 20000 are allowed",
    ),
    "a zip without a card": (zipped({"a.txt": b""}), "no card.json in the zip .there are: a.txt"),
    "a zip that leads out": (
        zipped({"card.json": b"{}", "../x.png": b""}),
        "a path that leads out of it: ../x.png",
    ),
    "a broken zip": (zipped(CHARX)[:-30] + b"\0" * 8, "the zip is broken"),
    "a zip bomb": (
        zipped({"card.json": b"{}", "a": b"\0" * 260_000_000}),
        "unpacks to 2 files and 260 MB",
    ),
    "a zip of bzip2": (
        zipped({"card.json": b"{}"}, zipfile.ZIP_BZIP2),
        "packed in a way that cards",
    ),
    "a locked zip": (
        zipped({"card.json": b"{}"}).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"),
        "locked",
    ),
    "a zip that lies about sizes": (
        _LIAR.replace(struct.pack("<I", 3_000_000), struct.pack("<I", 3)),
        "the zip is broken|no JSON",
    ),
}
"""What is refused, by what it is, and the beginning of the line that says why."""
