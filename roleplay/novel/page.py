"""A page of HTML or XHTML, well formed or not -> its paragraphs and the places that links name.

    read_page('<h1 id="a">第一章　雨</h1><p><ruby>漢<rt>かん</rt></ruby>字<a href="#n1">[1]</a></p>')
    # Page(lines=["第一章　雨", "漢字"], anchors={"a": 0}, headings=[(0, 1, "第一章　雨")], links=[])

Left out are styles, pictures, ruby readings, and notes with their marks. The parser reports tags one
by one and builds no tree: 200,000 opened tags take a second.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree  # type: ignore[import-untyped]

_BLOCK = re.compile(
    "address|article|aside|blockquote|body|br|dd|div|dl|dt|footer|h[1-6r]|header|"
    "li|main|ol|p|pre|section|table|td|th|title|tr|ul"
)
_SKIPPED = re.compile("head|script|style|rt|rp|rtc|svg|math|figcaption|iframe|object|binary")
# Values of class, epub:type and role that mark a note, its number or a page number of the paper book.
_NOTE = re.compile(
    r"(?:^|[\s_-])(?:foot|end|rear)notes?(?:$|[\s_-])|noteref|duokan-foot|page-?(?:break|num)"
)
_NOTE_MARK = re.compile(
    r"[\[【(（〔〈]?(?:\d{1,3}|[ivx]{1,5}|[*†‡§]{1,3}|注\d*|[註注]释?|[①-⑳])[\]】)）〕〉]?"
)
_FEW_PARTS = 9  # lxml cuts text into few parts; a longer link is no mark
# Tags that XHTML may close in themselves and HTML may not: <title/> would hide the whole page.
_SELF_CLOSED = re.compile(r"<(?!(?:br|hr|img|meta|link|input|col)\b)([A-Za-z][\w:]*)(\s[^<>]*)?/>")


@dataclass
class Page:
    """A page's paragraphs; its anchors and headings (line, level, text) name a line, links an address."""

    lines: list[str] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)
    headings: list[tuple[int, int, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_contents(self) -> bool:
        """Whether most of the text is links to elsewhere in the book: a table of contents."""
        linked = [text for address, text in self.links if not address.startswith("http")]
        return len(linked) >= 4 and sum(map(len, linked)) > 0.6 * sum(map(len, self.lines))


def read_page(html: str, *, contents: bool = False) -> Page:
    """Read a page, any text gives one; ``contents``: read the table of contents, else left out."""
    # CDATA would be lost, and so would the line ends of <pre>.
    html = _SELF_CLOSED.sub(r"<\1\2></\1>", html.replace("<![CDATA[", "").replace("]]>", ""))
    html = re.sub("(?i)<pre[^<>]*>[^<]*", lambda pre: pre[0].replace("\n", "<br>"), html)
    parser = etree.HTMLParser(target=_Reader(contents), huge_tree=True, encoding="utf-8")
    parser.feed(html.encode("utf-8", "replace") or b" ")
    page: Page = parser.close()
    return page


class _Reader:
    """Takes the tags as lxml reports them; every block begins and ends a line."""

    def __init__(self, contents: bool) -> None:
        self.page, self.contents = Page(), contents
        self.parts: list[str] = []  # of the line
        self.marks: list[tuple[str, int]] = []  # (address, place in the parts) of each open a, sup
        self.skipping = 0  # how deep inside what is left out
        self.heading: int | None = None  # the line of the open one
        self.is_note = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A tag opens."""
        tag, kind = tag.rpartition(":")[2], attributes.get("epub:type", "")
        kinds = f"{kind} {attributes.get('class', '')} {attributes.get('role', '')}"
        hidden = tag == "nav" and (not self.contents or kind not in ("", "toc"))
        if self.skipping or hidden or _SKIPPED.fullmatch(tag) or _NOTE.search(kinds):
            self.skipping += 1
            return
        if _BLOCK.fullmatch(tag):
            self._end_line()
        for name in (attributes.get("id"), attributes.get("name")):
            self.page.anchors.setdefault(name or "", len(self.page.lines))
        if tag in ("a", "sup"):
            self.marks.append((attributes.get("href", ""), len(self.parts)))
        elif re.fullmatch("h[1-6]", tag):
            self.heading = len(self.page.lines)

    def end(self, tag: str) -> None:
        """A tag closes; lxml closes every one that was left open."""
        if self.skipping:
            self.skipping -= 1
            return
        tag = tag.rpartition(":")[2]
        if tag in ("a", "sup") and self.marks:
            self._end_link(*self.marks.pop(), tag)
        if _BLOCK.fullmatch(tag):
            self._end_line()
        if re.fullmatch("h[1-6]", tag) and self.heading is not None:
            if title := " ".join(self.page.lines[self.heading :]):
                self.page.headings.append((self.heading, int(tag[1]), title))
            self.heading = None

    def data(self, text: str) -> None:
        """Text; lxml may cut it anywhere."""
        self.parts += [] if self.skipping else [text]

    def close(self) -> Page:
        """The page."""
        self._end_line()
        return self.page

    def _end_link(self, address: str, place: int, tag: str) -> None:
        if not 0 < len(self.parts) - place < _FEW_PARTS:
            return
        text = "".join(self.parts[place:]).strip()
        alone = place < _FEW_PARTS and not "".join(self.parts[:place]).strip()
        is_mark = not self.contents and ("#" in address or tag == "sup")
        # A heading that is nothing but a numeral may link back to the contents.
        if is_mark and _NOTE_MARK.fullmatch(text) and not (alone and self.heading is not None):
            del self.parts[place:]
            self.is_note |= alone and tag == "a"  # the text of the note follows its number
        elif tag == "a" and address:
            self.page.links.append((address, text))

    def _end_line(self) -> None:
        text = re.sub(r"[ \t\r\n]+", _shown, "".join(self.parts)).strip()
        self.page.lines += [text] if text and not self.is_note else []
        self.parts.clear()
        # What is still open goes on in the next line; nobody nests more than this.
        self.marks = [(address, 0) for address, _ in self.marks[:_FEW_PARTS]]
        self.is_note = False


def _shown(blank: re.Match[str]) -> str:
    """White space as a reader shows it: a line break between Chinese characters vanishes."""
    around = (
        blank.string[blank.start() - 1 : blank.start()]
        + blank.string[blank.end() : blank.end() + 1]
    )
    wrapped = "\n" in blank[0] and len(around) == 2 and all(c > "\x7f" for c in around)
    return "" if wrapped else " "
