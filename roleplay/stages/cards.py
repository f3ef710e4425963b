"""What importing and exporting cards share: where a world keeps them, and what they say of whom.

worlds/<name>/cards/闻筝.png            the card as it came: what nobody knows in it is kept there
              lorebooks/第十三场雨.json   a lorebook as it came
              wiki/card-闻筝/*.md        the pages of the card's lorebook
              wiki/lore-第十三场雨/*.md   those of the other
              portraits/闻筝.png          the picture; portraits/闻筝/joy.png with an expression
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from roleplay import files
from roleplay.cards.card import Card
from roleplay.cards.documents import Json, read_json
from roleplay.cards.formats import KINDS, assets_of, content_of, read_card
from roleplay.cards.lorebook import read_lorebook
from roleplay.cards.macros import expanded
from roleplay.cards.pages import edited, file_name, named, pages_of
from roleplay.cards.png import MAGIC, size_of, split_png
from roleplay.cards.talk import blocks_of
from roleplay.cards.world_info import ours_of
from roleplay.errors import CardError, reason
from roleplay.messages import Language
from roleplay.prompts import ASKER
from roleplay.script import format_script
from roleplay.world import Character

CARDS, LOREBOOKS, PORTRAITS, WIKI = "cards", "lorebooks", "portraits", "wiki"
YOU: dict[Language, str] = {"zh": "你", "en": "you"}
"""Who ``{{user}}`` is in a world."""
MOST_BYTES = 256_000_000
_CHINESE = re.compile("[\u3400-\u9fff]")
_LONGEST_NAME, _LOOKED_AT = 80, 20
_SMALLEST_SIDE, _MOST_PIXELS = 16, 40_000_000
_FACE, _MOST_FACES = "emotion", 100
_PICTURES = ("JPEG", "WEBP", "GIF", "PNG")


@dataclass(frozen=True)
class Lore:
    """A lorebook of a world as it came, the folder of its pages, and who is meant in them."""

    book: Json
    folder: str
    char: str
    language: Language

    def made(self) -> dict[str, str]:
        """The pages that it gives, by path in the world."""
        pages = named(pages_of(self.book, char=self.char, user=YOU[self.language]))
        return {f"{WIKI}/{self.folder}/{name}": page.markdown for name, page in pages}

    def edited(self, world: Path) -> Json:
        """The book with what was changed in its pages since. Raises WorldError: unreadable."""
        found = sorted((world / WIKI / self.folder).glob("*.md"))
        pages = {path.name: files.read_text(path) for path in found}
        return edited(self.book, pages, char=self.char, user=YOU[self.language])


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises CardError: it cannot be read, or is too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size // 1_000_000
            raise CardError("cards.large", size=size, most=MOST_BYTES // 1_000_000)
        return path.read_bytes()
    except OSError as error:
        raise CardError("cards.unreadable", reason=reason(error)) from error


def language_of(card: Card) -> Language:
    """That of what a card says."""
    return language_in("".join(map(card.text, ("name", "description", "first_mes"))))


def language_in(text: str) -> Language:
    """Chinese where a fourth of the characters is, or there are none."""
    return "zh" if 4 * len(_CHINESE.findall(text)) > len(text) or not text else "en"


def person_of(card: Card, language: Language, name: str = "") -> Character:
    """The character of a card; ``name`` where the card has none.

    Raises CardError: nobody is named.
    """
    given = expanded(card.text("name"), char="", user="")
    name = " ".join(given.split())[:_LONGEST_NAME].strip() or name
    if not name:
        raise CardError("cards.no-name")
    char, ours = _called(card, name), ours_of(card.data.get("extensions", {}))

    def told(*fields: str) -> str:
        texts = (expanded(card.text(one), char=char, user=YOU[language]) for one in fields)
        return "\n".join(filter(None, map(str.strip, texts)))

    blocks = blocks_of(card.text("mes_example"), char=name, user=ASKER)
    others = ours.get("aliases")
    aliases = [char, *(others if isinstance(others, list) else [])]
    gender = ours.get("gender")
    return Character(
        name=name,
        aliases=tuple(dict.fromkeys(str(one) for one in aliases if one and one != name)),
        gender=gender if gender in ("f", "m") else None,
        profile=told("description", "personality"),
        greeting=told("first_mes"),
        scenario=told("scenario"),
        examples=tuple(map(format_script, blocks)),
    )


def portrait_of(name: str) -> str:
    """The path of somebody's picture in a world; a name may hold what no file name may."""
    odd = name.startswith(".") or any(mark in name for mark in '/\\:*?"<>|%\0')
    return f"{PORTRAITS}/{quote(name, safe=' ').replace('.', '%2E') if odd else name}.png"


def card_path(world: Path, name: str) -> Path | None:
    """Where the card lies that a character came from; None where it came from none."""
    paths = (world / CARDS / f"{file_name(name)}.{kind}" for kind in KINDS)
    return next((path for path in paths if path.is_file()), None)


def stored_card(world: Path, name: str) -> Card | None:
    """The card that a character came from, as it came. Raises CardError: it cannot be read."""
    path = card_path(world, name)
    return read_card(read_bytes(path)) if path else None


def lore_of_card(card: Card, name: str) -> Lore | None:
    """The lorebook of a character's card, where it has one."""
    if not card.book:
        return None
    return Lore(card.book, f"card-{file_name(name)}", _called(card, name), language_of(card))


def lore_of_book(book: Json, stem: str) -> Lore:
    """The lorebook of a file of its own. The stem of its name is that of the folder."""
    said = "".join(entry["content"] for entry in book["entries"][:_LOOKED_AT])
    return Lore(book, f"lore-{file_name(stem)}", "{{char}}", language_in(said))


def stored_lore(world: Path, stem: str) -> Lore | None:
    """A lorebook that came into a world. Raises CardError: it cannot be read."""
    path = world / LOREBOOKS / f"{stem}.json"
    return lore_of_book(read_lorebook(read_json(read_bytes(path))), stem) if path.exists() else None


def faces_of(card: Card, name: str) -> dict[str, bytes]:
    """A card's pictures with an expression, by path in the world."""
    folder = portrait_of(name).removesuffix(".png")
    shown = [asset for asset in assets_of(card) if asset.get("type") == _FACE][:_MOST_FACES]
    found = ((asset, as_png(content_of(card, asset) or b"")) for asset in shown)
    return {
        f"{folder}/{file_name(str(asset.get('name', '')))}.png": png for asset, png in found if png
    }


def as_png(picture: bytes) -> bytes | None:
    """A picture as a PNG without a card in it; None where it is none, tiny, or far too large."""
    if not picture.startswith(MAGIC):
        picture = _converted(picture)
    bare = split_png(picture)[1] if picture else None
    if bare is None:
        return None
    width, height = size_of(bare)
    fits = min(width, height) >= _SMALLEST_SIDE and width * height <= _MOST_PIXELS
    return bare if fits else None


def _converted(picture: bytes) -> bytes:
    """A picture of another kind as a PNG, empty where it cannot be read."""
    from PIL import Image

    target = io.BytesIO()
    try:
        with Image.open(io.BytesIO(picture), formats=_PICTURES) as image:
            if image.width * image.height <= _MOST_PIXELS:
                image.convert("RGBA").save(target, "PNG")
    # What Pillow raises of broken pictures, and of those that unpack to too much.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return b""
    return target.getvalue()


def _called(card: Card, name: str) -> str:
    """What ``{{char}}`` stands for."""
    return " ".join(expanded(card.text("nickname"), char=name, user="").split()) or name
