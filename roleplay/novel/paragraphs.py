"""Where the paragraphs of a text end: at the ends of its lines.

    paragraph_spans("　　话说天下大势，\\n　　且说张角。\\n")      # [(0, 10), (10, 18)]

The spans tile the text: a paragraph takes its line ends and the blank lines after it. Hard-wrapped
lines are joined before (:mod:`roleplay.novel.wrapping`).
"""

import re

from roleplay.records import Span

_BREAK = re.compile(r"\n\s*")


def paragraph_spans(text: str) -> list[Span]:
    """The paragraphs of ``text``, in order and without gaps; each has its own indentation."""
    # Behind the last line break of the blank: what follows it is the next one's indentation.
    ends = [text.rindex("\n", *match.span()) + 1 for match in _BREAK.finditer(text)]
    ends = [end for end in ends if 0 < end < len(text)]
    return list(zip([0, *ends], [*ends, len(text)], strict=True)) if text else []
