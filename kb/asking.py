"""What a question names, and who is asked: 'ASKED question', as a chat searches, or a question
alone.

    >>> about = read_question("闻筝 你喜欢陆迟吗？", names)
    >>> about.question, [(sorted(subject.titles), subject.weight) for subject in about.subjects]
    ('你喜欢陆迟吗?', [(['陆迟'], 1.0), (['闻筝'], 0.5)])

A question that names somebody is about that page; it is about the one who is asked as well where it
says 'you'. What is longer than a question is a scene, and is searched by its words alone.
"""

import re
from typing import NamedTuple

from kb.names import Names, normalise
from kb.sections import WORDS

_LONGEST = 100
# '你知道露易丝的生日吗' asks for nothing of whoever is asked.
_OPENINGS = re.compile("|".join(WORDS["question-openings"]))
_YOU = re.compile(r"[你您]|\byou\b|\byour\b")
_FILLERS = re.compile("|".join(WORDS["question-words"]))
_PLOT = re.compile("|".join(WORDS["plot-words"]))
# 露易丝和塔巴莎: both are asked about; in 露易丝的使魔 the second only says what of the first.
_AND = re.compile(r"\s*(?:和|与|跟|同|及|、|,|还是|或者?|and|or)\s*")
_LATER, _ASKED = 0.6, 0.5
NAMED, TO_YOU, PRESENT = 0.6, 0.8, 0.2


class Subject(NamedTuple):
    """Whom a question is about: the names that it is called by, its pages, and how much."""

    names: frozenset[str]
    titles: frozenset[str]
    weight: float


class Question(NamedTuple):
    """A question without the name of whoever is asked; whom it is about, the first name first."""

    question: str
    subjects: tuple[Subject, ...]
    share: float
    """What the subjects count beside the question's words."""
    asked: bool
    """Whether whoever is asked is one of them."""
    of_plot: bool
    """Whether it asks for what happened, or for what was said."""


def read_question(query: str, names: Names) -> Question | None:
    """The question in a query; None where it names no page, or is no question."""
    text = normalise(query)
    if "\n" in query.strip() or len(text) > _LONGEST:
        return None
    found = names.finder.find(text)
    asked = ""
    if found and found[0][0] == 0 and text[len(found[0][1]) :].startswith(" "):
        (_, asked), *found = found
    start = len(asked)
    weights: dict[str, float] = {}
    end, weight = 0, 1.0
    for at, name in found:
        joined = end == 0 or _AND.fullmatch(text[end:at])
        weight = weight if joined else _LATER
        weights.setdefault(name, weight)
        end = at + len(name)
    question = text[start:].strip()
    to_you = bool(_YOU.search(_OPENINGS.sub("", question)))
    if asked and (to_you or not weights):
        weights.setdefault(asked, _ASKED if found else 1.0)
    subjects: dict[frozenset[str], Subject] = {}
    for name, weight in weights.items():
        titles = names.titles_of(name)
        subjects.setdefault(titles, Subject(names.of_one(name), titles, weight))
    if not subjects:
        return None
    of_plot = bool(_PLOT.search(question))
    # Who is asked counts as much as a few words of the question: the longer it is, the less.
    asking = len("".join(re.findall(r"\w", _FILLERS.sub("", question))))
    weight = TO_YOU if to_you else PRESENT
    share = NAMED if found else weight / (weight + max(asking - 1, 1))
    return Question(question, tuple(subjects.values()), share, asked in weights, of_plot)
