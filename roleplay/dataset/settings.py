"""How a data set is made: its settings, and what its builders share.

    materials = Materials(characters=("闻筝",), count=len, settings=DatasetSettings(mode="one"))

Lengths are tokens of the model that is trained; shares are parts of 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from roleplay.errors import DatasetError
from roleplay.prompts import MIN_SCORE, Count, Lookup, Snippet

Mode = Literal["one", "many", "profile"]
"""Who is learnt: one character; several, told apart by their names; or several, each with its profile in the prompt."""

MODES: tuple[Mode, ...] = ("one", "many", "profile")

PROTECTION_SHARES = ("identity_share", "unknown_share", "reading_share", "talk_share", "general_share")
"""The settings whose rows are no scene and no interview."""


@dataclass(frozen=True)
class DatasetSettings:
    """How passages and rows are cut, chosen and mixed.

    Attributes:
        background_share: of scenes that have background; a model must also play without.
        interview_background_share: of groups of interview, identity, unknown and talk rows that have it.
        min_score: background that fits worse is left out, as in chat.
        profile_drop: share of prompts without profiles, in mode profile.
        min_confidence: a speaker less certain than this is never a target.
        interview_share: the most that interviews may take of the learnt tokens of scenes and interviews.
        identity_share: of all learnt tokens; so are ``unknown_share``, ``reading_share``, ``talk_share`` and
            ``general_share``. 0 leaves them out.
        test_background: whether held-out scenes have background; without it they are the same for all settings.
        flavour: what is done with interviews that sound generated: they are reported, or dropped as well.
        forms: rows ask for speech, action or thought as some of the seed's do (``【请发言】``).

    Raises:
        DatasetError: a share out of range, or an unknown mode; all of them named at once.
    """

    mode: Mode = "many"
    scene_tokens: int = 448
    background_tokens: int = 160
    background_share: float = 0.6
    interview_background_share: float = 0.9
    snippets: int = 2
    min_score: float = MIN_SCORE
    profile_drop: float = 0.1
    interviews_a_passage: int = 3
    interview_share: float = 0.35
    interjection_weight: float = 0.3
    min_confidence: float = 0.5
    identity_share: float = 0.13
    unknown_share: float = 0.03
    reading_share: float = 0.11
    talk_share: float = 0.09
    general_share: float = 0.07
    test_share: float = 0.2
    test_background: bool = False
    forms: bool = False
    flavour: Literal["report", "drop"] = "report"
    seed: int = 7

    def __post_init__(self) -> None:
        wrong = [] if self.mode in MODES else [f"mode must be one of {' '.join(MODES)}, not {self.mode!r}"]
        for name in (row.name for row in fields(self) if row.type == "float"):
            if not 0 <= getattr(self, name) <= 1:
                wrong.append(f"{name} must be 0 to 1, not {getattr(self, name)}")
        if self.interview_share == 1 or self.protection_share >= 1:
            wrong.append(
                "interview_share, and the shares of identity, unknown, reading, talk and general together, must be below 1"
            )
        if wrong:
            raise DatasetError("; ".join(wrong))

    @property
    def has_background(self) -> bool:
        """Whether anything of it is shown the knowledge base."""
        return self.test_background or max(self.background_share, self.interview_background_share) > 0

    @property
    def protection_share(self) -> float:
        """The share of learnt tokens that is no scene and no interview."""
        return sum(float(getattr(self, name)) for name in PROTECTION_SHARES)

    def for_test(self) -> DatasetSettings:
        """Held-out scenes: nothing is dropped at random, so that they are the same scenes whatever else is set."""
        share = 1.0 if self.test_background else 0.0
        return replace(self, background_share=share, profile_drop=0.0)


@dataclass(frozen=True)
class Materials:
    """What the builders of passages and rows share; ``profiles``, by name, are empty but in mode profile."""

    characters: tuple[str, ...]
    count: Count
    settings: DatasetSettings = field(default_factory=DatasetSettings)
    lookup: Lookup | None = None
    profiles: Mapping[str, str] = field(default_factory=dict)

    def fitting(self, found: Iterable[Snippet]) -> list[Snippet]:
        """The snippets that chat would show as well."""
        return [snippet for snippet in found if snippet.score >= self.settings.min_score]

    def for_test(self) -> Materials:
        """The same with the settings of held-out scenes."""
        return replace(self, settings=self.settings.for_test())
