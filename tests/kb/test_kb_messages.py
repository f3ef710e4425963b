"""The messages of kb: every key told in both languages, with the same slots, and none unused."""

import ast
import inspect
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import kb
from kb import errors
from kb.errors import IndexFileError, Message, SnippetFileError, catalogue
from kb.index import load_index
from kb.snippets import read_snippets
from kb.wiki import iter_wiki

LANGUAGES = ("en", "zh")
TOLD = {
    name
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, Message)
}
COMMAND = r"python scripts/\S+(?: --[\w-]+ \S+)*"
LATIN = r"[A-Za-z][\w'-]*"


def constructions() -> Iterator[tuple[str, ast.Call]]:
    """(place, call) of every message and error that the sources make."""
    for path in sorted(Path(kb.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in TOLD:
                    yield f"{path.name}:{node.lineno}", node


def slots(text: str) -> set[str]:
    """'{folder.parent} and {size:,}' -> folder, size."""
    fields = (field for _, field, _, _ in string.Formatter().parse(text) if field)
    return {re.split(r"[.\[]", field)[0] for field in fields}


CALLS = dict(constructions())


@pytest.mark.parametrize("place", CALLS)
def test_a_message_has_a_key_with_its_slots_in_both_languages(place: str) -> None:
    call = CALLS[place]
    assert len(call.args) == 1 and isinstance(call.args[0], ast.Constant)
    given = {keyword.arg for keyword in call.keywords}
    english, chinese = (slots(catalogue(language)[call.args[0].value]) for language in LANGUAGES)
    assert (english, chinese) == (given, given - {"detail"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_unused_and_keys_are_in_order(language: str) -> None:
    used = {call.args[0].value for call in CALLS.values() if isinstance(call.args[0], ast.Constant)}
    assert list(catalogue(language)) == sorted(used)


def english_in(text: str) -> list[str]:
    """Three Latin words in a row, outside of slots, backticks, paths and our commands."""
    plain = re.sub(rf"{COMMAND}|`[^`]*`|\{{[^}}]*\}}|\S*[/\\]\S*", "，", text)
    return re.findall(rf"{LATIN}(?:\s+{LATIN}){{2}}", plain)


@pytest.mark.parametrize("key", catalogue("zh"))
def test_a_chinese_text_holds_no_english_sentence(key: str) -> None:
    text = catalogue("zh")[key]
    assert english_in(text) == []
    assert re.search("[\u4e00-\u9fff]", text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("读不了：no such file", ["no such file"]),
        ("请运行 python scripts/a.py --world {x} --query y", []),
        ("`pip install a b`，Hugging Face，worlds/a b", []),
    ],
)
def test_an_english_sentence_is_seen(text: str, found: list[str]) -> None:
    assert english_in(text) == found


def test_a_cause_is_told_in_the_language_of_its_error(tmp_path: Path, kb: object) -> None:
    (tmp_path / "kb" / "vectors.npy").unlink()
    with pytest.raises(IndexFileError) as caught:
        load_index(tmp_path / "kb")
    assert "is damaged (vectors.npy is missing): run python scripts/" in str(caught.value)
    assert caught.value.text("zh").startswith(
        f"“{tmp_path / 'kb'}”里的索引已损坏（缺少 vectors.npy）"
    )
    assert f"--world {tmp_path}" in caught.value.text("zh")


def test_what_a_library_said_stays_out_of_chinese(tmp_path: Path) -> None:
    path = tmp_path / "snippets.jsonl"
    path.write_text('{"format": "kb-snippets", "version": 2}\n{', encoding="utf-8")
    with pytest.raises(SnippetFileError, match="is not a snippet .Invalid JSON") as caught:
        read_snippets(path)
    assert caught.value.text("zh") == f"“{path}”第 2 行不是片段：请重新建立知识库"


def test_a_warning_is_logged_as_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "沈灯.wiki").write_text("{{stub", encoding="utf-8")
    list(iter_wiki(tmp_path))
    [warning] = caplog.records
    assert isinstance(warning.msg, Message)
    assert warning.getMessage().startswith("page '沈灯': 1 templates, links")
    assert warning.msg.text("zh").startswith("页面 '沈灯'：有 1 处模板")
