"""Labelled excerpts of novels: ``{name}`` after a quote tells who speaks it.

    #cast 苏文纨=苏小姐;方遯=老方          names with the aliases that the text uses
    “走吧。”{苏文纨}苏小姐说。“等等！”{?方遯}他想。墙上写着“静”{-}。

``{?name}`` is a thought, ``{-}`` no speech, ``{众人}`` a group.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from roleplay.distill.rules.script import distil_rules
from roleplay.records import UNKNOWN, Line

DATA = Path(__file__).resolve().parents[2] / "data" / "speakers"
GROUPS = {"众人", "眾人", "everyone", "皆"}
_TAG = re.compile(r"\{([^{}\n]+)\}")
# 澄江 is 澄江さん, and the captain is captain.
_HONORIFICS = re.compile(r"^(?:the|an?) |(?<=.)(?:さん|君|くん|ちゃん|先生|巡査)$", re.I)
_CLOSERS = "”’」』）)\"'〟﹂｣＂» 　,，.。"


@dataclass(frozen=True)
class Gold:
    """A labelled quote: it ends at ``end`` (its closing mark included); no ``speaker``: no speech."""

    end: int
    speaker: str | None
    thought: bool


@dataclass(frozen=True)
class Excerpt:
    """A text without its tags, and what they said."""

    text: str
    language: str
    gold: list[Gold]
    forms: dict[str, frozenset[str]]
    """Every form of a name -> all forms of that person."""

    def right(self, found: str | None, speaker: str) -> bool:
        """Whether a speaker that the rules named is the labelled one, by any of the names."""
        if speaker in GROUPS:
            return found in GROUPS
        mine = self.forms.get(speaker, frozenset({speaker}))
        bare = {_HONORIFICS.sub("", form) for form in mine}
        return _HONORIFICS.sub("", found or "") in bare


def read_excerpt(path: Path) -> Excerpt:
    """The text without tags, with the places that they labelled."""
    head: dict[str, str] = {}
    lines = path.read_text("utf-8").split("\n")
    while lines and lines[0].startswith("#"):
        key, _, value = lines.pop(0)[1:].partition(" ")
        head[key] = value.strip()
    forms: dict[str, frozenset[str]] = {}
    for person in filter(None, head["cast"].split(";")):
        name, _, aliases = person.strip().partition("=")
        mine = frozenset({name, *filter(None, map(str.strip, aliases.split(",")))})
        forms |= dict.fromkeys(mine, mine)
    text, gold, at = "", [], 0
    tagged = "\n".join(lines)
    for tag in _TAG.finditer(tagged):
        text += tagged[at : tag.start()]
        at = tag.end()
        label = tag[1]
        speaker = None if label == "-" else label.removeprefix("?")
        gold.append(Gold(len(text), speaker, label.startswith("?")))
    return Excerpt(text + tagged[at:], head.get("lang", "zh"), gold, forms)


@dataclass
class Score:
    """Counts over labelled lines."""

    lines: int = 0
    named: int = 0
    right: int = 0
    sure: int = 0
    sure_wrong: int = 0
    thoughts: int = 0
    thoughts_right: int = 0
    no_speech: int = 0
    no_speech_told: int = 0

    def row(self) -> str:
        """The figures in one line."""
        return (
            f"lines {self.lines:3} named {self.named / max(1, self.lines):6.1%} right of named "
            f"{self.right / max(1, self.named):6.1%} sure {self.sure:3} wrong of sure "
            f"{self.sure_wrong / max(1, self.sure):6.1%} thoughts {self.thoughts_right}/{self.thoughts}"
            f" no speech {self.no_speech - self.no_speech_told}/{self.no_speech}"
        )


def gold_of(excerpt: Excerpt, span: tuple[int, int]) -> Gold | None:
    """The label of the quote with these inner edges, if it has one."""
    for gold in excerpt.gold:
        bare = len(excerpt.text[: gold.end].rstrip(_CLOSERS + "\n"))
        if span[0] < bare <= span[1] + 1:
            return gold
    return None


def line_at(lines: list[Line], text: str, gold: Gold) -> Line | None:
    """The spoken line that ends where the labelled quote ends."""
    bare = len(text[: gold.end].rstrip(_CLOSERS + "\n"))
    for line in lines:
        if line.kind != "info" and line.span and line.span[0] < bare <= line.span[1] + 1:
            return line
    return None


def distilled(excerpt: Excerpt) -> list[Line]:
    """The script with the discovered cast."""
    return distil_rules(excerpt.text, (), (), {}, language=excerpt.language)


def score(excerpt: Excerpt, lines: list[Line]) -> tuple[Score, list[tuple[Gold, Line | None]]]:
    """The figures, and each labelled quote with what the rules made of it."""
    result = Score()
    pairs = [(gold, line_at(lines, excerpt.text, gold)) for gold in excerpt.gold]
    for gold, line in pairs:
        if gold.speaker is None:
            result.no_speech += 1
            # A sign that somebody quotes in his speech (“The Mixture” inside "...") is no line.
            span = line.span if line else None
            result.no_speech_told += span is not None and span[1] <= gold.end
            continue
        if gold.thought:
            result.thoughts += 1
            result.thoughts_right += line is not None and line.kind == "think"
        result.lines += 1
        if line is None or line.char == UNKNOWN:
            continue
        right = excerpt.right(line.char, gold.speaker)
        result.named += 1
        result.right += right
        sure = (line.confidence or 0) >= 0.9
        result.sure += sure
        result.sure_wrong += sure and not right
    return result, pairs
