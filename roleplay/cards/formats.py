"""Card files: JSON, PNG or CHARX, told by their content; bytes in, bytes out.

    card = read_card(path.read_bytes())
    write_card(card, "png", picture=picture)    # both chunks: chara (version 2) and ccv3
    main_icon(card)                             # the bytes of the portrait, or None

In a card that was read, ``embeded://PATH`` (the specification's spelling) names a file in
``card.files``, wherever the file kept it.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from roleplay.cards import charx, png
from roleplay.cards.card import Card, parse_card
from roleplay.cards.documents import MOST_BYTES, Json, read_json, write_json
from roleplay.errors import CardError

Kind = Literal["json", "png", "charx"]
KINDS: tuple[Kind, ...] = ("json", "png", "charx")
NOTE = (
    "This card is a Character Card V3, shown here as a V2: "
    "a program that reads V3 shows all of it. / 这是 V3 角色卡的 V2 版本，请用支持 V3 的程序打开。"
)
"""What the creator's notes of a V2 say that stands beside a V3 in one picture."""

_EMBEDDED = re.compile(r"embedd?ed://(.+)", re.S)
_IN_PNG = re.compile(r"__asset:(.+)", re.S)
_DATA = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,(.+)", re.S)
_PICTURES = (b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM")
_ICON = "assets/icon/image/main.png"
_UNSAFE = re.compile(r"[^\w.-]")


def read_card(data: bytes) -> Card:
    """The card of a file.

    Raises:
        CardError: no card can be read; one line says why.
    """
    kind = kind_of(data)
    if kind == "png":
        return _of_png(data)
    if kind == "charx":
        document, files = charx.split_charx(data)
        return replace(parse_card(read_json(document)), files=files)
    return parse_card(read_json(data))


def kind_of(data: bytes) -> Kind:
    """What a file is by its content. Raises CardError: nothing, or a picture of another kind."""
    if data.startswith(png.MAGIC):
        return "png"
    if charx.is_zip(data):
        return "charx"
    if not data.strip():
        raise CardError("cards.empty")
    if data.startswith(_PICTURES):
        raise CardError("cards.other-picture")
    return "json"


def write_card(card: Card, kind: Kind, *, picture: bytes | None = None) -> bytes:
    """The file of a card; a version 3 in a PNG has a version 2 beside it.

    Args:
        picture: the PNG that shows it, by default the one that it was in; JSON needs none.

    Raises:
        CardError: a PNG without a picture.
    """
    if kind == "json":
        return write_json(_with_files(card).document())
    shown = card.picture if picture is None else picture
    if kind == "charx":
        made = _with_icon(card.as_version(3), shown)
        return charx.join_charx(write_json(made.document()), made.files)
    if shown is None:
        raise CardError("cards.no-picture")
    return png.join_png(shown, _texts(card))


def main_icon(card: Card) -> bytes | None:
    """The portrait: the main icon among the assets, else the PNG that the card was in."""
    icons = [asset for asset in assets_of(card) if asset.get("type") == "icon"]
    icons.sort(key=lambda asset: asset.get("name") != "main")
    return next((found for asset in icons if (found := content_of(card, asset))), card.picture)


def assets_of(card: Card) -> list[Json]:
    """What a card says of its assets."""
    found: list[Json] = card.data.get("assets") or []
    return found


def content_of(card: Card, asset: Json) -> bytes | None:
    """The bytes of an asset that is in the card; None for one that is elsewhere."""
    uri = str(asset.get("uri", ""))
    if match := _EMBEDDED.fullmatch(uri):
        return card.files.get(match[1])
    if match := _DATA.fullmatch(uri):
        return _decoded(match[1])
    return card.picture if uri == "ccdefault:" else None


def _of_png(data: bytes) -> Card:
    texts, picture = png.split_png(data)
    written = [texts[key] for key in ("ccv3", "chara") if texts.get(key)]
    if not written:
        raise CardError("cards.no-chunk" if picture else "cards.cut-off")
    try:
        card = _of_text(written[0])
    except CardError:
        if len(written) == 1:
            raise
        card = _of_text(written[1])
    return _with_assets(replace(card, picture=picture), texts)


def _of_text(written: str) -> Card:
    """The card of a chunk: base64 of its JSON, or the JSON as it is."""
    if written.lstrip().startswith("{"):
        return parse_card(read_json(written.encode()))
    decoded = _decoded(written)
    if decoded is None:
        raise CardError("cards.no-base64")
    return parse_card(read_json(decoded))


def _decoded(written: str) -> bytes | None:
    """The bytes of base64 in either alphabet, with white space and without its end; else None."""
    text = "".join(written.split()).rstrip("=").replace("-", "+").replace("_", "/")
    if len(text) > 2 * MOST_BYTES:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _with_assets(card: Card, texts: Mapping[str, str]) -> Card:
    """The card with the assets of other chunks as its files."""
    files: dict[str, bytes] = {}
    assets: list[Json] = []
    for asset in assets_of(card):
        match = _IN_PNG.fullmatch(str(asset.get("uri", "")))
        content = _decoded(texts.get(f"{png.ASSET}{match[1]}".lower(), "")) if match else None
        if match and content:
            kind, end = (_UNSAFE.sub("_", str(asset.get(key, ""))) for key in ("type", "ext"))
            path = f"assets/{kind or 'other'}/image/{_UNSAFE.sub('_', match[1])}.{end or 'png'}"
            files[path] = content
            asset = asset | {"uri": f"embeded://{path}"}
        assets.append(asset)
    return replace(card, files=files, data=card.data | {"assets": assets}) if files else card


def _texts(card: Card) -> dict[str, str]:
    """Keyword -> text of the chunks of a card."""
    if card.version < 3:
        return {"chara": _encoded(card.document())}
    stored, chunks = _numbered(card)
    older = {"chara": _encoded(_noted(card).document())}
    return {**older, "ccv3": _encoded(stored.document()), **chunks}


def _noted(card: Card) -> Card:
    # As it would be after it was read again, to the order of its fields.
    older = replace(card, data=card.document()["data"]).as_version(2)
    notes = older.text("creator_notes")
    noted = notes if NOTE in notes else "\n\n".join(filter(None, (notes, NOTE)))
    return replace(older, data=older.data | {"creator_notes": noted})


def _encoded(document: Any) -> str:
    return base64.b64encode(write_json(document, indent=None)).decode("ascii")


def _numbered(card: Card) -> tuple[Card, dict[str, str]]:
    """The card whose files are named by numbers, as a keyword has no room for paths; the chunks."""
    chunks: dict[str, str] = {}
    assets: list[Json] = []
    for i, (asset, content) in enumerate(_embedded(card)):
        if content is not None:
            chunks[f"{png.ASSET}{i}"] = base64.b64encode(content).decode("ascii")
            asset = asset | {"uri": f"__asset:{i}"}
        assets.append(asset)
    return replace(card, data=card.data | {"assets": assets}) if chunks else card, chunks


def _with_icon(card: Card, picture: bytes | None) -> Card:
    """The card with its picture as a file, unless it has another main icon."""
    if picture is None:
        return card
    others = [asset for asset in assets_of(card) if asset.get("uri") != "ccdefault:"]
    if any(asset.get("type") == "icon" and asset.get("name") == "main" for asset in others):
        return card
    icon = {"type": "icon", "uri": f"embeded://{_ICON}", "name": "main", "ext": "png"}
    data = card.data | {"assets": [icon, *others]}
    return replace(card, data=data, files={**card.files, _ICON: picture})


def _with_files(card: Card) -> Card:
    """The card whose files stand in it, as JSON has no other place for them."""
    assets: list[Json] = []
    for asset, content in _embedded(card):
        if content is not None:
            kind = str(asset.get("ext", "png")).lower().replace("jpg", "jpeg")
            text = base64.b64encode(content).decode("ascii")
            asset = asset | {"uri": f"data:image/{kind};base64,{text}"}
        assets.append(asset)
    return replace(card, data=card.data | {"assets": assets}) if assets else card


def _embedded(card: Card) -> Iterator[tuple[Json, bytes | None]]:
    """The assets, with the content of those that are files of the card."""
    for asset in assets_of(card):
        match = _EMBEDDED.fullmatch(str(asset.get("uri", "")))
        yield asset, card.files.get(match[1]) if match else None
