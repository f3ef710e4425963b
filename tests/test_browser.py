"""The app in a real browser: a newcomer asks, then plays a scene; another world is loaded.

Run by `python3 launch.py test` with `-m browser`. The server is the app's own layout with a
scripted backend, so the page is tested and not a model's mood; one more test starts `app.py` itself
with the bundled model.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from kb.embedding import get_embedder
from kb.index import build_index
from kb.snippets import make_snippet
from launch import find_browser
from roleplay.backends.scripted import ScriptedBackend
from roleplay.background import Snippet
from roleplay.script import parse_script
from roleplay.stages.character import Choice, Introduction, Tell
from roleplay.stages.engine import Engine
from roleplay.ui.layout import create_app, launch_options

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPLIES = [
    "没得商量。",
    "漏了漏了，全漏了！ \\emoji 大怒",
    "\\me 把扳手一拍",
    "<b>修好了</b>",
    "(又迟到。)",
]
SCENE = "【雨停了】\n陆迟：不好意思，我来晚了。"


PAGES = [
    Snippet(
        "闻筝最爱吃椒盐豆糕。椒盐豆糕要趁热吃，凉了就只剩下盐味，街角的铺子每天只做两笼。",
        0.71,
        "闻筝",
    ),
    Snippet("雨停要敲钟。敲钟的人站在檐上，数到十三才许下来。", 0.38, "十二口雨钟"),
]


def find(
    query: str, k: int, *, character: str | None = None, chapter: int | None = None
) -> list[Snippet]:
    return PAGES[:k]


class ScriptedModels:
    """Every model fits, and says what it was told to say."""

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        pass

    def load(self, choice: Choice, checkpoint: Path | None, tell: Tell) -> ScriptedBackend:
        return ScriptedBackend(REPLIES)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _rows(path: Path, rows: list[object]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@pytest.fixture(scope="module")
def rain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of two people with an opening, whose background knows no chapters."""
    folder = tmp_path_factory.mktemp("worlds") / "雨"
    folder.mkdir()
    _rows(folder / "world.json", [_cast("第十三场雨", "闻筝", "陆迟")])
    _rows(folder / "script.jsonl", [line.to_json() for line in parse_script(SCENE).lines])
    return folder


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of one person, with a question of its own and background of two chapters."""
    folder = tmp_path_factory.mktemp("worlds") / "灯"
    folder.mkdir()
    _rows(folder / "world.json", [_cast("点灯的人", "阿灯")])
    question = {"id": "1", "character": "阿灯", "question": "灯油是谁送的？"}
    _rows(folder / "questions.jsonl", [question | {"expected": ["渡口"], "source": "wiki"}])
    texts = ("第一章 借火\n\n灯灭了。\n\n", "第二章 还火\n\n灯亮了。\n\n")
    chunks = [
        {"id": n, "chapter": n, "text": text, "span": [0, 1]} for n, text in enumerate(texts, 1)
    ]
    _rows(folder / "chunks.jsonl", chunks)
    made = [
        make_snippet(title="灯油", text=text, source="s", chapter=chapter)
        for text, chapter in (("灯油是渡口的人送来的。", 1), ("灯油用完了，阿灯点不了灯。", 2))
    ]
    build_index(folder / "kb", made, get_embedder())
    return folder


def _cast(title: str, *names: str) -> object:
    return {"title": title, "characters": [{"name": name} for name in names]}


@pytest.fixture(scope="module")
def address(rain: Path) -> Iterator[str]:
    """The app with a scripted backend, on loopback."""
    engine = Engine(models=ScriptedModels())
    engine.load(rain, Choice(checkpoint="none")).join(60)
    engine.agent().retriever = find
    with _served(engine) as found:
        yield found


@contextmanager
def _served(engine: Engine, world: Introduction | None = None) -> Iterator[str]:
    app = create_app(engine, title="《第十三场雨》", world=world)
    port = _free_port()
    app.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        **launch_options(),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        app.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = find_browser()
    if not path:
        pytest.fail("no chromium found: `apt-get install chromium`, then run the test again")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def _open(
    browser: playwright.Browser,
    address: str,
    *,
    width: int = 1280,
    locale: str = "zh-CN",
    state: str = "ready",
    tab: str = "提问",
) -> playwright.Page:
    page = browser.new_context(viewport={"width": width, "height": 900}, locale=locale).new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector(f"#status .rp-{state}")
    page.get_by_role("tab", name=tab).click()
    return page


def test_five_answers_stand_side_by_side(browser: playwright.Browser, address: str) -> None:
    page = _open(browser, address)
    page.fill("#ask-question textarea", "雨停了吗？")
    page.click("#ask-run")
    page.wait_for_selector('#ask-answers [data-done="true"]')
    cards = page.locator("#ask-answers .rp-card")
    assert cards.count() == 5
    assert "没得商量。" in cards.nth(0).inner_text()
    assert "<b>修好了</b>" in cards.nth(3).inner_text()


@pytest.mark.parametrize(
    ("locale", "text"), [("en-GB", "the question is empty"), ("zh-CN", "问题是空的")]
)
def test_an_empty_question_is_one_clear_line_in_the_language_of_the_browser(
    browser: playwright.Browser, address: str, locale: str, text: str
) -> None:
    page = _open(browser, address, locale=locale, tab={"en-GB": "Ask", "zh-CN": "提问"}[locale])
    page.click("#ask-run")
    toast = page.locator(".toast-body", has_text=text)
    toast.first.wait_for()
    assert toast.count() == 1
    assert locale == "en-GB" or not re.search("[A-Za-z]", toast.inner_text())


def test_what_a_file_holds_is_never_markup_in_an_error(
    browser: playwright.Browser, address: str, tmp_path: Path
) -> None:
    page = _open(browser, address)
    page.get_by_role("tab", name="跑团").click()
    evil = tmp_path / "scene.txt"
    evil.write_text("<b id=evil>粗</b>", encoding="utf-8")
    page.click("#scene-files button")
    with page.expect_file_chooser() as chooser:
        page.click("#scene-load")
    chooser.value.set_files(evil)
    page.locator(".toast-body", has_text="<b id=evil>粗</b>").wait_for()
    assert page.locator("#evil").count() == 0


def test_an_example_question_can_be_clicked(browser: playwright.Browser, address: str) -> None:
    page = _open(browser, address)
    page.locator("#ask-examples").get_by_text("你好笨啊").click()
    page.wait_for_function("document.querySelector('#ask-question textarea').value == '你好笨啊'")
    page.click("#ask-run")
    page.wait_for_selector('#ask-answers [data-done="true"]')


def test_the_page_follows_when_another_world_is_loaded(
    browser: playwright.Browser, rain: Path, lamp: Path
) -> None:
    engine = Engine(models=ScriptedModels())
    first = Introduction("第十三场雨", ("闻筝",), ("你是谁？",))
    with _served(engine, first) as address:
        page = _open(browser, address, state="empty")
        heading = page.locator(".rp-head h1")
        heading.get_by_text("第十三场雨").wait_for()
        asked = page.locator("#ask-character")
        asked.get_by_text("闻筝").wait_for()
        engine.load(rain, Choice(checkpoint="none")).join(60)
        page.wait_for_selector("#status .rp-ready")
        _choose(page, "#ask-character", "陆迟")
        assert page.locator("#ask-chapter").count() == 0
        engine.load(lamp, Choice(checkpoint="none")).join(60)
        heading.get_by_text("点灯的人").wait_for()
        page.wait_for_function("document.title == '《点灯的人》'")
        asked.get_by_text("阿灯").first.wait_for()
        page.click("#ask-answering button")
        page.locator("#ask-chapter").wait_for()
        page.locator("#ask-examples").get_by_text("灯油是谁送的？").click()
        _choose(page, "#ask-chapter", "第一章 借火")
        page.click("#ask-run")
        page.wait_for_selector('#ask-answers [data-done="true"]')
        used = page.locator("#ask-used")
        used.get_by_text("渡口的人").wait_for()
        assert used.get_by_text("用完了").count() == 0
        page.get_by_role("tab", name="跑团").click()
        page.click("#scene-answering button")
        page.locator("#scene-chapter").wait_for()
        assert page.input_value("#scene-who input") == "阿灯"
        engine.load(rain, Choice(checkpoint="none")).join(60)
        page.locator("#scene-chapter").wait_for(state="detached")
        page.click("#scene-example")
        page.locator("#scene-view").get_by_text("我来晚了").wait_for()
        page.click("#scene-act")
        page.locator("#scene-view .rp-others button").first.wait_for()


def _choose(page: playwright.Page, where: str, what: str) -> None:
    """Pick from a drop-down."""
    page.click(f"{where} input")
    page.get_by_role("option", name=what).click()


def test_background_is_pinned_and_removed_for_both_tabs(
    browser: playwright.Browser, address: str
) -> None:
    page = _open(browser, address)
    page.fill("#ask-question textarea", "雨停了吗？")
    page.click("#ask-run")
    page.wait_for_selector('#ask-answers [data-done="true"]')
    used = page.locator("#ask-used .rp-used-row")
    used.filter(has_text="0.71").filter(has_text="椒盐豆糕").locator(".rp-remove").click()
    page.locator("#ask-used .rp-removed", has_text="椒盐豆糕").wait_for()
    used.filter(has_text="十二口雨钟").locator(".rp-pin").click()
    page.locator("#ask-used .rp-pinned", has_text="雨停要敲钟").wait_for()
    page.get_by_role("tab", name="跑团").click()
    page.click("#scene-example")
    page.click("#scene-act")
    page.locator("#scene-view .rp-others button").first.wait_for()
    page.locator("#scene-used .rp-pinned", has_text="雨停要敲钟").wait_for()
    assert page.locator("#scene-used .rp-found").count() == 0
    page.locator("#scene-used .rp-removed .rp-restore").click()
    page.locator("#scene-used .rp-removed").wait_for(state="detached")


def test_the_list_of_background_fits_a_phone(browser: playwright.Browser, address: str) -> None:
    page = _open(browser, address, width=390)
    page.fill("#ask-question textarea", "雨停了吗？")
    page.click("#ask-run")
    page.locator("#ask-used .rp-used-row").nth(1).wait_for()
    page.locator("#ask-used .rp-pin").first.click()
    page.locator("#ask-used .rp-pinned").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_scene_goes_on_with_the_picked_line_and_back(
    browser: playwright.Browser, address: str
) -> None:
    page = _open(browser, address)
    page.get_by_role("tab", name="跑团").click()
    page.click("#scene-example")
    view = page.locator("#scene-view")
    view.get_by_text("我来晚了").wait_for()
    page.click("#scene-act")
    page.locator("#scene-view .rp-others button").first.wait_for()
    page.locator("#scene-view .rp-others button", has_text="漏了漏了").click()
    shown = view.locator(".rp-theirs .rp-body").last
    shown.get_by_text("漏了漏了").wait_for()
    page.click("#scene-undo")
    view.get_by_text("没得商量。").wait_for(state="detached")
    assert view.get_by_text("我来晚了").count() == 1


def test_an_unreadable_line_is_shown_with_its_number(
    browser: playwright.Browser, address: str
) -> None:
    page = _open(browser, address)
    page.get_by_role("tab", name="跑团").click()
    written = "【有人敲门】\n闻筝：谁呀 \\emoji 高兴坏了"
    page.fill("#scene-text textarea", written)
    page.click("#scene-add")
    page.locator("#scene-problems").get_by_text("第 2 行").wait_for()
    assert page.input_value("#scene-text textarea") == written
    assert page.locator("#scene-view").get_by_text("有人敲门").count() == 0


def test_a_saved_scene_loads_again(
    browser: playwright.Browser, address: str, tmp_path: Path
) -> None:
    page = _open(browser, address)
    page.get_by_role("tab", name="跑团").click()
    page.click("#scene-example")
    page.locator("#scene-view").get_by_text("我来晚了").wait_for()
    page.click("#scene-files button")
    with page.expect_download() as download:
        page.click("#scene-save")
    saved = tmp_path / "scene.json"
    download.value.save_as(saved)
    page.click("#scene-clear")
    page.locator("#scene-view").get_by_text("我来晚了").wait_for(state="detached")
    with page.expect_file_chooser() as chooser:
        page.click("#scene-load")
    chooser.value.set_files(saved)
    page.locator("#scene-view").get_by_text("我来晚了").wait_for()


def test_labels_follow_the_browsers_language(browser: playwright.Browser, address: str) -> None:
    page = _open(browser, address, locale="en-US", tab="Ask")
    page.get_by_role("tab", name="Scene").wait_for()
    assert page.locator("#ask-run").inner_text() == "Answer"


def test_nothing_is_wider_than_a_phone(browser: playwright.Browser, address: str) -> None:
    page = _open(browser, address, width=390)
    page.click("#ask-run")
    for tab in ("提问", "跑团"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_app_itself_answers_with_the_embedded_model(browser: playwright.Browser) -> None:
    port = _free_port()
    app = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "--port", str(port)], env=dict(os.environ)
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/", seconds=120)
        page = browser.new_context(locale="zh-CN").new_page()
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_selector("#status .rp-ready", timeout=400_000)
        page.get_by_role("tab", name="提问").click()
        page.fill("#ask-question textarea", "你最爱吃什么？")
        page.click("#ask-run")
        page.wait_for_selector('#ask-answers [data-done="true"]', timeout=240_000)
        assert page.locator("#ask-answers .rp-card").count() == 5
        # the panel is drawn by a request of its own after the answer
        page.locator("#ask-used").get_by_text("椒盐豆糕").first.wait_for()
        assert re.search(r"[\u4e00-\u9fff]", page.locator("#ask-answers").inner_text())
    finally:
        app.terminate()
        app.wait()


def _wait_for(url: str, *, seconds: float) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except (urllib.error.URLError, ConnectionError):
            sleep(0.3)
    pytest.fail(f"no page at {url} after {seconds:.0f} s")
