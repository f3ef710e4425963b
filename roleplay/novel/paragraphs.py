"""Where the paragraphs of a text end, also where its lines are hard-wrapped.

    paragraph_spans("　　话说天下大势，\\n　　且说张角。\\n")      # [(0, 10), (10, 18)]

The spans tile the text: a paragraph takes its line ends and the blank lines after it. In most
novels every line is a paragraph. In a hard-wrapped one (lines cut at about the same width, in
mid-sentence) a paragraph ends at a blank line or before an indented one.
"""

import re

from roleplay.records import Span

_PLAIN_BREAK = re.compile(r"\n\s*")
_WRAPPED_BREAK = re.compile(r"\n(?=[ \t　])[ \t　]*(?:\n\s*)?|\n\s*\n\s*")
_SENTENCE_END = "。！？…”’」』：；—～)）】》.!?:;\"'"
# Short lines are headings and verse. Prose that is not wrapped has next to none in mid-sentence.
_SHORTEST, _ENOUGH, _WRAPPED_SHARE = 20, 10, 0.3


def paragraph_spans(text: str) -> list[Span]:
    """The paragraphs of ``text``, in order and without gaps; each has its own indentation."""
    pattern = _WRAPPED_BREAK if is_wrapped(text) else _PLAIN_BREAK
    # Behind the last line break of the blank: what follows it is the next one's indentation.
    ends = [text.rindex("\n", *match.span()) + 1 for match in pattern.finditer(text)]
    ends = [end for end in ends if 0 < end < len(text)]
    return list(zip([0, *ends], [*ends, len(text)], strict=True)) if text else []


def is_wrapped(text: str) -> bool:
    """Whether lines are no paragraphs: of ten or more long ones, 30 % end in mid-sentence."""
    lines = map(str.rstrip, text[:500_000].split("\n"))
    longer = [line for line in lines if len(line) >= _SHORTEST]
    broken = sum(line[-1] not in _SENTENCE_END for line in longer)
    return len(longer) >= _ENOUGH and broken >= _WRAPPED_SHARE * len(longer)
