"""Time and peak memory of reading a generated MediaWiki export: memory must not grow with the file.

    python benchmarks/wiki_export.py --megabytes 200

The pages are made of a few sentences written here, with an infobox, a table and links; nothing is
downloaded.
"""

import argparse
import bz2
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kb.export import read_export
from kb.wiki import iter_wiki

_PAGE = """<page><title>灯匠{0}</title><ns>0</ns>
<revision><text>{{{{人物信息|姓名=灯匠{0}|年龄={0}|职业=[[灯匠]]}}}}
'''灯匠{0}'''住在第{0}条街，{{{{黑幕|其实怕黑}}}}。&lt;ref&gt;第{0}章&lt;/ref&gt;
== 经历 ==
{1}
{{| class="wikitable"
! 灯 !! 价格
|-
| 河灯 || {0}枚
|}}
</text></revision></page>
"""
_SENTENCE = "第{0}年的雨季里，他在[[河边|河]]上点了{0}盏灯，看它们慢慢漂远，直到一盏也看不见。"


@dataclass(frozen=True)
class Measured:
    """Pages read, seconds, and the most memory (MB) that reading held beyond what it began with."""

    pages: int
    seconds: float
    peak_growth_mb: float


def write_dump(path: Path, *, megabytes: float) -> None:
    """An export of about that many bytes, packed where the name ends in .bz2."""
    with bz2.open(path, "wb") if path.suffix == ".bz2" else path.open("wb") as file:
        written, number = file.write(b"<mediawiki>\n"), 0
        while written < megabytes * 1e6:
            text = "\n".join(_SENTENCE.format(number + line) for line in range(60))
            written += file.write(_PAGE.format(number, text).encode())
            number += 1
        file.write(b"</mediawiki>\n")


def measure(path: Path, *, megabytes: float) -> Measured:
    """Writes an export and reads its pages' markup, with the memory that Python allocates."""
    write_dump(path, megabytes=megabytes)
    tracemalloc.start()
    began = time.perf_counter()
    pages = sum(1 for _ in read_export(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Measured(pages, time.perf_counter() - began, peak / 1e6)


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the export to entries, as a build does, and prints the peak memory as it goes."""
    parser = argparse.ArgumentParser(
        description="Time and peak memory of reading a large MediaWiki export."
    )
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument(
        "--folder", type=Path, help="where the export is written (default: a temporary folder)"
    )
    args = parser.parse_args(argv)
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / "dump.xml"
        write_dump(path, megabytes=args.megabytes)
        began = time.perf_counter()
        pages = 0
        for pages, _ in enumerate(iter_wiki(path), 1):
            if pages in (500, 2000, 8000):
                print(f"{pages} pages, peak so far: {_peak_mb():.0f} MB", flush=True)
        seconds = time.perf_counter() - began
        print(
            f"{args.megabytes:.0f} MB, {pages} pages in {seconds:.0f} s, peak {_peak_mb():.0f} MB"
        )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
