"""What is left out of a wiki: talk, lists of meanings, copies, broken files; and that it is named."""

from pathlib import Path

import pytest

from kb.wiki import Entry, is_article, iter_wiki

LONG = "沈灯在吹烟镇的河边点了一盏灯。看它随水慢慢漂远。直到雨把最后一点光也浇灭。" * 3


def read_wiki(folder: Path, **files: str | bytes) -> list[Entry]:
    """'沈灯_wiki' is 沈灯.wiki."""
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(iter_wiki(folder))


@pytest.mark.parametrize(
    "title",
    [
        "讨论:沈灯",
        "討論：沈燈",
        "Talk:沈灯",
        "User talk:某人",
        "用户讨论:某人",
        "灯百科讨论:首页",
        "讨论_沈灯",
        "Template:灯",
        "模板:灯",
        "分类:人物",
        "沈灯（消歧义）",
        "沈燈 (消歧義)",
        "Lamp (disambiguation)",
    ],
)
def test_no_articles(title: str) -> None:
    assert not is_article(title)


@pytest.mark.parametrize(
    "title", ["沈灯", "Re:第一夜", "雨城：沈灯", "圆桌讨论：第一夜", "沈灯（灯匠）"]
)
def test_articles(title: str) -> None:
    assert is_article(title)


MEANINGS_PAGE = "<h1>灯</h1><div id='mw-content-text'><p>灯可能是指：</p><ul><li>沈灯</li><li>灯会</li></ul></div>"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("灯__wiki", "'''灯'''：\n* [[沈灯]]\n{{消歧義}}"),
        ("灯__wiki", "'''灯'''可以指：\n* [[沈灯]]，灯匠\n* [[灯会]]，节日"),
        ("灯__md", "# 灯\n灯有以下含义：\n- 沈灯\n- 灯会"),
        ("灯__html", MEANINGS_PAGE),
        ("灯__html", "<h1>灯</h1><div id='disambigbox'>消歧义</div><p>沈灯。</p>"),
        ("讨论_沈灯__wiki", "年龄对吗？"),
        ("x__html", "<body class='ns-1'><h1>沈灯</h1><p>年龄对吗？</p></body>"),
    ],
)
def test_pages_that_are_no_articles_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    [entry] = read_wiki(tmp_path, 沈灯__wiki="沈灯是灯匠。", **{name: text})
    assert (entry.title, entry.aliases) == ("沈灯", ())
    assert "1 pages are talk, templates or lists of meanings and are left out: " in caplog.text


def test_a_redirect_from_talk_or_from_a_list_of_meanings_is_no_alias(tmp_path: Path) -> None:
    redirect = "#REDIRECT [[沈灯]]"
    pages = {"沈灯（消歧义）__wiki": redirect, "讨论_灯__wiki": redirect, "小灯__wiki": redirect}
    [entry] = read_wiki(tmp_path, 沈灯__wiki="沈灯是灯匠。", **pages)
    assert entry.aliases == ("小灯",)


@pytest.mark.parametrize(
    "copy",
    [
        {"沈灯 (1)__wiki": LONG},
        {"沈灯 - 副本__wiki": LONG},
        {"沈灯__html": f"<h1>沈灯</h1><p>{LONG}</p>"},
        {"沈燈__md": LONG.replace("点", "點").replace("灯", "燈")},
        {"旧__md": f"# 沈灯\n{LONG}沈灯爱糕，常常吃。"},
    ],
)
def test_a_copy_of_a_page_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, copy: dict[str, str]
) -> None:
    assert len(read_wiki(tmp_path, 沈灯__wiki=LONG, **copy)) == 1
    assert "1 pages are copies of others and are left out: " in caplog.text


def test_pages_of_one_title_that_say_different_things_both_stay(tmp_path: Path) -> None:
    assert (
        len(read_wiki(tmp_path, 沈灯__wiki=LONG, 沈灯__md="# 沈灯\n灯匠的女儿，今年十六岁。")) == 2
    )


def test_a_broken_file_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken: dict[str, str | bytes] = {"坏__wiki": b"\x80\x81\xff\x00\xff", "坏__xml": "<mediawiki>"}
    assert [entry.title for entry in read_wiki(tmp_path, 沈灯__wiki="沈灯是灯匠。", **broken)] == [
        "沈灯"
    ]
    assert "2 files cannot be read and are left out: 坏.wiki, 坏.xml; the first: " in caplog.text


def test_a_few_damaged_bytes_cost_only_themselves(tmp_path: Path) -> None:
    [entry] = read_wiki(tmp_path, 沈灯__wiki="沈灯是灯匠。".encode() * 50 + b"\xff")
    assert entry.sections[0][1].startswith("沈灯是灯匠。沈灯")


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-16-le", "shift_jis"])
def test_other_encodings_are_told_by_what_they_give(tmp_path: Path, encoding: str) -> None:
    text = (
        "阿嵐は塔の中に住んでいる。"
        if encoding == "shift_jis"
        else "阿嵐是塔裡的王子，他不說話。" * 3
    )
    [entry] = read_wiki(tmp_path, 阿岚__txt=text.encode(encoding))
    assert entry.sections[0][1] == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("沈灯__txt", "'''沈灯'''是{{color|red|灯匠}}。\n== 喜好 ==\n* [[桂花糕|糕]]"),
        ("沈灯__wikitext", "'''沈灯'''是灯匠。\n== 喜好 ==\n* 糕"),
        ("沈灯__md", "'''沈灯'''是[[灯匠]]。\n== 喜好 ==\n{{黑幕|糕}}"),
        ("沈灯__txt", "# 沈灯\n沈灯是**灯匠**。\n## 喜好\n- 糕"),
        ("沈灯__txt", "<p>沈灯是灯匠。</p><h2>喜好</h2><p>糕</p><p></p>"),
        ("沈灯__wiki", "<!DOCTYPE html><html><p>沈灯是灯匠。<h2>喜好</h2>糕</html>"),
        (
            "沈灯__wiki",
            "沈灯是灯匠。\n== 喜好 ==\n&lt;s&gt;糕&lt;/s&gt;&lt;br&gt;&lt;ref&gt;三&lt;/ref&gt;",
        ),
    ],
)
def test_what_a_text_is_is_told_by_its_content(tmp_path: Path, name: str, text: str) -> None:
    [entry] = read_wiki(tmp_path, **{name: text})
    assert entry.title == "沈灯"
    assert entry.sections == (((), "沈灯是灯匠。"), (("喜好",), "糕"))


def test_a_web_archive_of_one_file(tmp_path: Path) -> None:
    archive = (
        "From: <Saved>\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=X\n\n--X\n"
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        "<h1>沈灯</h1><p>灯匠。</p>\n--X--\n"
    )
    [entry] = read_wiki(tmp_path, x__mhtml=archive)
    assert (entry.title, entry.sections) == ("沈灯", (((), "灯匠。"),))
