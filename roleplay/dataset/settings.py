"""How a data set is made: its settings, and what its builders share.

    context = BuildContext(("闻筝",), count=len, settings=DatasetSettings(mode="one"))
    context = context.searched([Query("闻筝 你几岁？", 2, "闻筝")])   # what builders read

Lengths are tokens of the model that is trained; shares are parts of 1.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal, Self

from roleplay.background import Query, Retriever, Snippet, search_many
from roleplay.messages import Message, message
from roleplay.options import Options, option
from roleplay.prompts import MIN_SCORE, Count

Mode = Literal["one", "many", "profile"]
"""Who is learnt: one character; several; or several with their profiles in the prompts."""

# What is neither scene nor interview.
_PROTECTION = ("identity", "unknown", "context_qa", "general")
_share = partial(option, least=0, most=1)


def _taught(default: float, en: str, zh: str, **more: Any) -> Any:
    return _share(default, f"share of target tokens: {en}", f"所学内容的比例：{zh}", **more)


@dataclass(frozen=True)
class DatasetSettings(Options):
    """How passages and rows are cut, chosen and mixed; the help of an option says what it does.

    Raises:
        UsageError: a value out of range, or shares that leave nothing to scenes; all named at once.
    """

    mode: Mode = option(
        "profile",
        "one character, many, or many with their profiles in the prompt, where they have any",
        "学一人、多人，或多人并在提示里写上人设（有人设的话）",
    )
    scene_tokens: int = option(448, "longest scene of a passage", "场景最长的 token 数", least=1)
    background_tokens: int = 160
    background_share: float = _share(0.6, "share of scenes with background", "带背景的场景比例")
    interview_background_share: float = _share(
        0.9, "share of interviews and protection rows with background", "带背景的访谈等的比例"
    )
    snippets: int = option(2, "most snippets for a scene or question", "最多几条背景", least=1)
    min_score: float = _share(
        MIN_SCORE, "background that fits worse is left out", "背景的最低匹配度"
    )
    profile_drop: float = _share(0.1, "share of prompts without profiles", "不带人设的提示的比例")
    interviews_a_passage: int = 3
    interview_share: float = _share(
        0.35, "the most that interviews take of what they and scenes teach", "访谈最多占多少"
    )
    interjection_weight: float = _share(0.3, "weight of lines of 1-3 letters", "三字以内台词的权重")
    min_confidence: float = _share(0.5, "less certain speakers are not learnt", "说话人的最低把握")
    conversation_share: float = _share(
        0.7, "the most that conversations take of all", "对话最多占多少"
    )
    exchange_share: float = _share(
        0.3, "the most that talk made of the novel takes", "由小说台词改成的问答最多占多少"
    )
    replay_share: float = _share(
        0.15,
        "share of the starting adapter's own conversations, not to forget them",
        "混入起始适配器自己的对话的比例，防遗忘",
    )
    identity_share: float = _taught(0.03, "who one is", "自己是谁")
    unknown_share: float = _taught(0.01, "what one cannot know", "不可能知道的事")
    context_qa_share: float = _taught(
        0.02, "to read an answer off the background", "从背景里读出答案", old=("reading_share",)
    )
    general_share: float = _taught(0.02, "ordinary dialogue, not to forget it", "普通对话，防遗忘")
    protection: float = option(1.0, "factor of the four shares above", "以上四项的倍数", least=0)
    test_share: float = _share(0.2, "share of chapters held out", "留出多少章节作测试")
    test_background: bool = option(False, "background in held-out scenes", "留出的场景也带背景")
    held_out: tuple[str, ...] = option(
        (), "whose conversations are tested on, not learnt", "谁的对话只用来测试"
    )
    forms: bool = option(False, "rows ask for what follows: 【请发言】", "每行先要求：【请发言】等")
    assistant_isms: Literal["report", "drop"] = option(
        "report",
        "what is done with interviews that sound generated",
        "像机器写的访谈：只报告，或丢掉",
        old=("flavour",),
    )
    seed: int = option(7, "of every choice", "一切随机选择的种子")

    def problems(self) -> Iterator[Message]:
        """All other tokens are counted from those of scenes, by a division: they keep a part."""
        for share in ("interview_share", "conversation_share", "exchange_share", "replay_share"):
            if getattr(self, share) == 1:
                yield message("dataset.only-one", flag=f"--{share.replace('_', '-')}")
        if not (total := self.protection_share) < 1:
            yield message("dataset.shares", total=f"{total:g}")

    @property
    def shares(self) -> dict[str, float]:
        """The protection shares as they work, by the names of their settings."""
        names = [f"{kind}_share" for kind in _PROTECTION]
        return {name: getattr(self, name) * self.protection for name in names}

    @property
    def protection_share(self) -> float:
        """The share of target tokens that is no scene and no interview."""
        return sum(self.shares.values())

    @property
    def has_background(self) -> bool:
        """Whether anything of it is shown the knowledge base."""
        shares = (self.background_share, self.interview_background_share)
        return self.test_background or any(shares)

    def effective(self) -> dict[str, Any]:
        """All settings as they work, for files that tell how data was made: without a factor."""
        values = asdict(self) | self.shares
        del values["protection"]
        return values

    def for_test(self) -> Self:
        """Those of held-out scenes: nothing is drawn, so that other settings do not change them."""
        return replace(self, background_share=float(self.test_background), profile_drop=0.0)


@dataclass(frozen=True)
class BuildContext:
    """What the builders of passages and rows share; ``profiles``, by name, for mode profile alone.

    ``found`` is what :meth:`searched` found for this data set.
    """

    characters: tuple[str, ...]
    count: Count
    settings: DatasetSettings = field(default_factory=DatasetSettings)
    retriever: Retriever | None = None
    profiles: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[Query, Sequence[Snippet]] = field(default_factory=dict, repr=False)

    def searched(self, queries: Iterable[Query]) -> Self:
        """The same after one search for all ``queries``, each different one once."""
        wanted = list(dict.fromkeys(queries))
        found = search_many(self.retriever, wanted) if self.retriever else []
        return replace(self, found=dict(zip(wanted, found, strict=True)))

    def snippets(self, query: Query) -> list[Snippet]:
        """What was found for a query, best first, without what chat leaves out as well."""
        return [one for one in self.found[query] if one.score >= self.settings.min_score]
