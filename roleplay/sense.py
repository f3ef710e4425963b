"""Whether a reply makes sense, as far as can be told without reading it: voice, template, copy.

    sense = Sense.of({"闻筝": ["没得商量。", ...], "陆迟": [...]}, aliases)
    sense.judge.choose("不好意思，我可以进来吗？")       # "陆迟"
    sense.faults("闻筝", "你怎么又哭了？", "我是闻筝。")     # ("template",)

The judge is naive Bayes on runs of one to three characters. Everything is learnt from the lines
that are given, so whoever measures leaves out those of held-out chapters.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Literal, Self

Fault = Literal["empty", "template", "foreign", "copy", "echo"]
"""Nothing said; a name of its own or not knowing, where nobody asked; another's catchphrase; a
long run of a line that is known; the question again."""

_ASKS_WHO = re.compile(
    "谁|哪位|叫什么|名字|尊姓|贵姓|称呼|介绍|什么人|who|name|何者|誰|名前", re.IGNORECASE
)
_DECLINES = re.compile(
    "没听(说)?过|不知道|不晓得|没见过|不认得|不清楚|不懂|问倒我|没人(跟我)?说过|身边的事|never heard|"
    "don't know|do not know|知らん|知りません|知らない|わかりません"
)
_MARKS = re.compile(r"\\(?:emoji|me)\s*\S*")
_LETTER = re.compile(r"\w")
_COPIED = 12  # Letters in a row that are no chance.
_OFTEN, _LONGEST = 0.06, 8  # A catchphrase: in so many of one's lines, of at most so many letters.
_FOREIGN = 8  # So many times rarer with the others.


def said(text: str) -> str:
    """What is said of a reply: without its marks for faces and acts."""
    return _MARKS.sub("", text).strip()


def letters(text: str) -> str:
    """The letters and digits of what is said."""
    return "".join(_LETTER.findall(said(text))).lower()


class VoiceJudge:
    """Whose voice a line is: naive Bayes on runs of one to three characters."""

    def __init__(self, lines: Mapping[str, Sequence[str]], *, smoothing: float = 1.0) -> None:
        """Learn from the ``lines`` of each name; a name without any is never chosen."""
        self._counts = {name: Counter(_grams(own)) for name, own in lines.items() if own}
        known = len(set().union(*self._counts.values())) if self._counts else 0
        self._smoothing = smoothing
        self._totals = {
            name: math.log(counts.total() + smoothing * (known + 1))
            for name, counts in self._counts.items()
        }

    def scores(self, text: str) -> dict[str, float]:
        """The log likelihood of what is said, by name, per run of characters."""
        grams = list(_grams([text]))
        return {
            name: sum(math.log(counts[gram] + self._smoothing) for gram in grams)
            / max(len(grams), 1)
            - self._totals[name]
            for name, counts in self._counts.items()
        }

    def choose(self, text: str, names: Iterable[str] = ()) -> str:
        """The likeliest of ``names``, or of all."""
        scores = self.scores(text)
        wanted = [name for name in names if name in scores] or list(scores)
        return max(wanted, key=scores.__getitem__, default="")


def _grams(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        text = f"^{said(line)}$"
        for size in (1, 2, 3):
            yield from (text[at : at + size] for at in range(len(text) - size + 1))


@dataclass(frozen=True)
class Sense:
    """What is known of the characters' lines.

    Attributes:
        lines: what each says, by name.
        aliases: all names of each, its own among them.
    """

    lines: Mapping[str, Sequence[str]]
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, lines: Mapping[str, Sequence[str]], aliases: Mapping[str, Sequence[str]] | None = None
    ) -> Self:
        """The same, with every character its own name at least."""
        return cls(lines, aliases or {name: (name,) for name in lines})

    @cached_property
    def judge(self) -> VoiceJudge:
        """Whose voice a line is."""
        return VoiceJudge(self.lines)

    @cached_property
    def catchphrases(self) -> dict[str, frozenset[str]]:
        """By name, clauses that it says again and again and hardly anybody else does."""
        clauses = {
            name: Counter(clause for line in own for clause in _clauses(line))
            for name, own in self.lines.items()
        }
        everybody = Counter[str]()
        for counts in clauses.values():
            everybody.update(counts)
        found = {}
        for name, counts in clauses.items():
            least = max(4, _OFTEN * len(self.lines[name]))
            found[name] = frozenset(
                clause
                for clause, count in counts.items()
                if count >= least and count >= _FOREIGN * (everybody[clause] - count)
            )
        return found

    @cached_property
    def _runs(self) -> frozenset[str]:
        texts = [letters(line) for own in self.lines.values() for line in own]
        return frozenset(
            text[at : at + _COPIED] for text in texts for at in range(len(text) - _COPIED + 1)
        )

    def is_template(self, character: str, question: str, reply: str) -> bool:
        """Whether it says its own name or that it does not know, where nobody asked who it is."""
        if _ASKS_WHO.search(question):
            return False
        own = self.aliases.get(character, (character,))
        return (
            bool(self._introduces.search(reply))
            or letters(reply) in map(letters, own)
            or bool(_DECLINES.search(reply))
        )

    @cached_property
    def _introduces(self) -> re.Pattern[str]:
        """Whoever says so says a name: its own or, wrongly, another's; 我叫陆迟去送信 is none."""
        names = {*self.lines, *self.aliases, *chain.from_iterable(self.aliases.values())}
        known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
        return re.compile(
            f"我(?:是|叫)(?:{known})\\W*(?:$|[，。！？、…～~,.!?])|我的名字(?:就?是|叫)"
        )

    def is_foreign(self, character: str, reply: str) -> bool:
        """Whether it holds a catchphrase of somebody else."""
        clauses = set(_clauses(reply))
        return any(clauses & own for name, own in self.catchphrases.items() if name != character)

    def is_copy(self, reply: str) -> bool:
        """Whether most of it stands in a line that is known."""
        text = letters(reply)
        starts = range(len(text) - _COPIED + 1)
        copied = [at for at in starts if text[at : at + _COPIED] in self._runs]
        covered = {place for at in copied for place in range(at, at + _COPIED)}
        return len(covered) > 0.6 * len(text) if text else False

    def longest_copy(self, reply: str) -> int:
        """Letters of the longest run that also stands in a known line; runs under 12 are 0."""
        text, longest, run = letters(reply), 0, 0
        for at in range(len(text) - _COPIED + 1):
            run = run + 1 if text[at : at + _COPIED] in self._runs else 0
            longest = max(longest, run)
        return longest + _COPIED - 1 if longest else 0

    def faults(self, character: str, question: str, reply: str) -> tuple[Fault, ...]:
        """What is wrong with a reply of ``character``; empty where nothing is seen."""
        text = letters(reply)
        found: dict[Fault, bool] = {
            "empty": not text and "\\me" not in reply,
            "template": self.is_template(character, question, reply),
            "foreign": self.is_foreign(character, reply),
            "copy": self.is_copy(reply),
            "echo": len(text) > 2 and text == letters(question),
        }
        return tuple(fault for fault, is_so in found.items() if is_so)


def _clauses(line: str) -> list[str]:
    parts = re.split(r"[，。！？…～；、,!?~;：:\s「」『』“”\"]+", said(line))
    return [part for part in parts if 2 <= len(part) <= _LONGEST]
