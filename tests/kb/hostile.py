"""Reads hostile pages of one format, each as a wiki of its own: run as a child that may be stopped.

python -m tests.kb.hostile wiki
"""

import logging
import sys
import tempfile
from pathlib import Path

from kb.snippets import entries_to_snippets
from kb.wiki import iter_wiki

N = 10_000
ROWS = "|-\n| y\n" * N
FACT = "<div class='pi-data'><h3 class='pi-data-label'>a</h3><div class='pi-data-value'>"
PAGES = {
    "wiki": [
        "{" * 5 * N,
        "{" * 5 * N + "}" * 5 * N,
        "[" * 5 * N,
        "{{a|" * N + "x" + "}}" * N,
        "{{信息|a=" * N + "x" + "}}" * N,
        ("{{信息|a=" * 15 + "x" + "}}" * 15) * (N // 20),
        "{{信息|a={{!}} " * N + "}}" * N,
        "{{a|b\n沈灯是灯匠。" * N,
        "<div>" * N + "<ref>" * N,
        "{|\n" * N,
        "{|\n" + "".join(f"| rowspan=99 | {'x' * 30}\n" for _ in range(60)) + ROWS + "|}",
        "{|\n" + "| colspan=99999 | x\n|-\n" * N + "|}",
        "{|\n" + "| a || b" * N + "\n|}",
        "*" * 5 * N,
        "[http://" * N,
        "<!--" * 3 * N,
        "<nowiki>" * 3 * N,
        "-{" * 5 * N,
        "'''" * 3 * N,
        "[[a|" * N,
        "== a\n" * N,
        ";a;b\n" * N,
        "&" + "amp;" * 3 * N + "lt;br&gt;",
        "{{信息|a=" + "<li>x" * N + "}}",
        "{{信息|" + "|".join(f"label{n % 999}=x|data{n % 999}=b" for n in range(N)) + "}}",
        "".join(f"== 人物{n} ==\n人物{n}是人。\n" for n in range(N)),
        "== 配角 ==\n" + "".join(f"名{n}：一二三四五六七八九十\n" for n in range(N)),
        (" " * 100 + "\n") * N,
        "又名" * 3 * N,
        "（" * 3 * N,
    ],
    "html": [
        "<div>" * 5 * N + "灯",
        "<table><tr><td>" * N,
        ("<table class=infobox><tr><td>" * 140 + "x") * (N // 140),
        "<" * 5 * N,
        "<ul><li>" * N,
        "<aside>" + FACT * N,
        "<aside>" + (FACT + "b</div></div>") * N,
        "<table><tr>" + "<td rowspan=100>yyyyyyyy" * 60 + "<tr><td>z" * N + "</table>",
        "<table><tr><td>" + "<a href='x'>y</a>" * 2 * N + "</table>",
        "<div class='mw-parser-output'>" * N + "灯",
        "<font color=red>灯" * 2 * N,
        "<p style='display:none'>x" * N,
        "&amp;lt;br&amp;gt;" * N,
    ],
    "md": [
        "*" * 5 * N,
        "**a " * N,
        "`" * 5 * N,
        "[" * 5 * N,
        "[a](" * N,
        ">" * 5 * N,
        "- " * N,
        "#" * 5 * N,
        "# a\n" * N,
        "<div>\n" * N,
        "<a b='" * N,
        "<?" * 3 * N,
        "|a|b|\n|-|-|\n" + "|x|y|\n" * N,
        "|a" * N + "\n" + "|-" * N + "\n",
        "```\n" * N,
        "a\n---\n\n" * N,
        "字" * 20 * N,
    ],
    "txt": [
        "【a】\n" * N,
        "1. a\nb\n" * N,
        f"\n露易丝\n{'字' * 20}\n" * N,
        "◆" * 5 * N,
        "字：" * 5 * N,
    ],
    "xml": [
        "<mediawiki>"
        + "".join(
            f"<page><title>页{n}</title><revision><text>#REDIRECT [[页{(n + 1) % end}]]</text>"
            "</revision></page>"
            for n in range(2 * N)
        )
        + "</mediawiki>"
        # A circle of redirects, and a chain that leads nowhere.
        for end in (2 * N, 3 * N)
    ],
}


def main(ending: str) -> None:
    """Reads them one by one; prints each one's size, and that of what came of it."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        for number, page in enumerate(PAGES[ending]):
            path = Path(folder) / f"{number}.{ending}"
            path.write_text(page, encoding="utf-8")
            snippets = entries_to_snippets(iter_wiki(path))
            print(len(page), sum(len(snippet.text) for snippet in snippets), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
