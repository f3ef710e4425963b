"""A world's own exchanges, ready to be recalled: what was said to a character and its answers.

    recall = world_recall(World.load(Path("worlds/chuiyan")))       # None where there is nothing

A character for whom little was written also has the answers of a *register*: what anybody could
answer who speaks alike. Which register that is, is told by its lines in the novel. The vectors
stand in ``recall.npz`` beside the world's other files, with the digest of what they are made from;
they are made again when that has changed.
"""

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import opencc

from kb.embedding import get_embedder
from kb.names import simplified
from roleplay import files
from roleplay.dataset.conversations import spoken_pairs, ways_to_say
from roleplay.dataset.texts import items
from roleplay.errors import WorldError
from roleplay.recall import Exchange, Recall, keys_of, plain
from roleplay.world import World

_FILE = "recall.npz"
_ENOUGH = 60  # Written exchanges, with which a character needs no register.
_TRADITIONAL = 0.05  # Of the letters of a novel that is printed so.
_HEARD = 200  # Lines of a character that its register is told by.
_MARKED_LINES = 0.04  # So many of a character's lines have a mark of its register.


@dataclass(frozen=True)
class _Registers:
    """The registers of a language.

    ``old`` are those of a book of which ``enough`` lines have ``sign``, ``usual`` of another one;
    by gender. ``marked`` ones are known by words that few others use.
    """

    sign: re.Pattern[str]
    enough: float
    old: dict[str, str]
    usual: dict[str, str]
    marked: dict[str, re.Pattern[str]]


_REGISTERS = {
    "zh": _Registers(
        re.compile(
            "[矣哉乎吾汝曰焉兮岂]|不曾|何曾|怎的|怎生|甚么|休要|则个|老爷|奴家|小人|莫非|公子|在下|"
            "妾身|何不|甚是"
        ),
        0.08,  # 18 to 40 % of the lines of a classical novel here, of modern ones 0 to 2 %.
        {"f": "classical-lady", "m": "classical-gentleman"},
        {"f": "modern-woman", "m": "modern-man"},
        {
            "fighter": re.compile("俺|洒家|老孙|老猪|老子|爷爷|孽畜|吃我一|这厮|那厮"),
            "elder": re.compile("老身|老朽|老汉|老夫|老拙|老婆子|活了这么大"),
            "classical-lively": re.compile("[呸啐]|[哎嗳]哟|作死|小蹄子|没良心的|仔细你的"),
        },
    ),
    "en": _Registers(
        re.compile(
            r"\b(?:sir|madam|shall|pray|upon my|dare say|indeed|obliged|whom|ought|my dear|"
            r"I beg|exceedingly)\b",
            re.IGNORECASE,
        ),
        0.08,
        {"f": "en-lady", "m": "en-gentleman"},
        {"f": "en-plain", "m": "en-plain"},
        {
            "en-child": re.compile(
                r"\b(?:mamm?a|papa|mummy|daddy|when I grow up)\b", re.IGNORECASE
            ),
            "en-elder": re.compile(r"\b(?:my boy|my child|in my day|lad|lass|lassie)\b"),
        },
    ),
    "ja": _Registers(
        re.compile("です|ます|ました|でした|ません|ましょう|ください|ございま"),
        0.4,
        {"f": "ja-polite", "m": "ja-polite"},
        {"f": "ja-girl", "m": "ja-boy"},
        {
            "ja-elder": re.compile("わし|じゃ[。のな、よろ]|のう[。、]|おぬし|んのじゃ"),
            "ja-polite": re.compile("ございます|くださいませ|申し上げ|いたします|存じま"),
        },
    ),
}
_GENDERS = {"fighter": "f", "classical-lively": "m"}
"""Who does not speak so."""


def exchanges_of(world: World) -> list[Exchange]:
    """Those written for the world, those of its interviews, and those of its novel."""
    found = list(_written(world))
    if world.is_there("script.jsonl") and world.is_there("chunks.jsonl"):
        for lines in world.lines_by_chapter().values():
            found += [Exchange(*pair) for pair in spoken_pairs(lines, world.names)]
    return found


def _written(world: World) -> Iterable[Exchange]:
    for row in world.read_conversations():
        before = ""
        for number, (said, answer) in enumerate(row.turns):
            also = () if number else (*row.also, *ways_to_say(said))
            yield Exchange(row.character, said, answer, before, also)
            before = plain(answer)
    for one in world.read_interviews():
        yield Exchange(one.character, one.question, one.answer)


def registers_of(world: World) -> dict[str, str]:
    """The register of each character that needs one, by name; none in a language without any."""
    known = _REGISTERS.get(world.info.language.split("-")[0])
    if known is None:
        return {}
    written = Counter(one.character for one in _written(world))
    lines = {name: list(map(simplified, own)) for name, own in _lines(world).items()}
    everybody = [text for own in lines.values() for text in own]
    usual = known.old if _rate(known.sign, everybody) >= known.enough else known.usual
    found = {}
    for person in world.info.characters:
        if written[person.name] < _ENOUGH:
            own = lines.get(person.name, [])[:_HEARD]
            rates = {name: _rate(mark, own) for name, mark in known.marked.items()}
            best = max(rates, key=rates.__getitem__)
            is_marked = rates[best] >= _MARKED_LINES and _GENDERS.get(best) != person.gender
            found[person.name] = best if is_marked else usual[person.gender or "m"]
    return found


def _rate(mark: re.Pattern[str], lines: Sequence[str]) -> float:
    return sum(bool(mark.search(line)) for line in lines) / max(len(lines), 1)


def world_recall(world: World) -> Recall | None:
    """The exchanges of a world with their vectors, or None where it has none."""
    registers = registers_of(world)
    found = exchanges_of(world) + _register_exchanges(set(registers.values()), world)
    if not found:
        return None
    embedder, keys = get_embedder(), keys_of(found, simplified)
    made_from = files.digest(embedder.name, "int8", *keys)
    vectors = _read(world, made_from)
    if vectors is None:
        vectors = _in_bytes(embedder.encode(keys))
        _write(world, made_from, vectors)
    people = {name: one.name for one in world.info.characters for name in (one.name, *one.aliases)}
    return Recall(
        found,
        _as_units(vectors),
        lambda texts: embedder.encode(list(texts)),
        people=people,
        registers=registers,
        fold=simplified,
    )


def _register_exchanges(names: set[str], world: World) -> list[Exchange]:
    """In the characters that the world's novel is printed in."""
    heard = "".join(text for own in _lines(world).values() for text in own)
    other = sum(map(str.__ne__, heard, simplified(heard)))
    printed = opencc.OpenCC("s2t").convert if other > _TRADITIONAL * len(heard) else str
    return [
        Exchange(
            row["register"],
            row["said"][0],
            printed(row["answer"]),
            also=(*row["said"][1:], *ways_to_say(row["said"][0])),
        )
        for row in items("registers")
        if row["register"] in names
    ]


def _lines(world: World) -> dict[str, list[str]]:
    """What the characters say in the novel."""
    found: dict[str, list[str]] = {}
    for line in world.read_script() if world.is_there("script.jsonl") else ():
        if line.kind == "say" and line.char in world.names:
            found.setdefault(line.char, []).append(line.text)
    return found


def _in_bytes(vectors: Any) -> Any:
    """int8 [n, d]: only directions are compared, and a byte tells those well enough."""
    return np.rint(vectors / (np.abs(vectors).max() or 1) * 127).astype(np.int8)


def _as_units(rows: Any) -> Any:
    """float32 [n, d], each row of length 1."""
    vectors = rows.astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _read(world: World, made_from: str) -> Any:
    """The vectors int8 [n, d] of the file, unless it is missing, broken or of other texts."""
    try:
        with np.load(world.path / _FILE, allow_pickle=False) as stored:
            return stored["vectors"] if str(stored["made_from"]) == made_from else None
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _write(world: World, made_from: str, vectors: Any) -> None:
    made = io.BytesIO()
    np.savez(made, vectors=vectors, made_from=np.array(made_from))
    try:
        files.write_bytes(world.path / _FILE, made.getvalue())
    except WorldError:
        return  # A world that may only be read is searched all the same, and made again next time.
