"""Making a character in a real browser, by mouse only: a novel of two chapters, a tiny model.

Run by `python3 launch.py test` with `-m browser`. The engine talks with a scripted backend; making
runs the real stages in a process of its own, on a model made here.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roleplay.backends.scripted import ScriptedBackend
from roleplay.stages import jobs, runs, speakers
from roleplay.stages.character import Choice, Tell
from roleplay.stages.engine import Engine
from roleplay.stages.library import Library
from roleplay.ui.access import OWN_MACHINE, Access
from roleplay.ui.layout import create_app, launch_options
from tests.test_browser import _free_port, browser  # noqa: F401  a fixture

sys.path.insert(0, str(Path(__file__).parent / "roleplay"))
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

NOVEL = (
    "第一章 灯\n\n"
    + "河上起了雾。\n阿灯说：“灯亮着。”\n小舟说：“船来了。”\n“谁的船？”\n" * 12
    + "\n第二章 船\n\n"
    + "小舟说：“船走了。”\n阿灯问道：“灯灭了吗？”\n“还没有。”\n" * 12
)
TITLE = "灯与船"


class ScriptedModels:
    """Every model fits, and says what it was told to say."""

    def check_fits(self, choice: Choice, *, freed: int) -> None:
        pass

    def load(self, choice: Choice, checkpoint: Path | None, tell: Tell) -> ScriptedBackend:
        return ScriptedBackend(["灯亮着。"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma of four small layers with random weights."""
    import tiny

    kinds = ["sliding_attention"] * 2 + ["full_attention", "sliding_attention"]
    return tiny.save(tiny.gemma(*kinds), tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def home(tmp_path: Path) -> Library:
    """An empty folder for worlds and adapters."""
    (tmp_path / "worlds").mkdir()
    (tmp_path / f"{TITLE}.txt").write_text(NOVEL, encoding="gb18030")
    return Library(tmp_path / "worlds", tmp_path / "checkpoints")


@contextmanager
def served(library: Library, access: Access = OWN_MACHINE) -> Iterator[tuple[str, Engine]]:
    engine, port = Engine(models=ScriptedModels()), _free_port()
    app = create_app(engine, title="空", library=library, access=access)
    address = {"server_name": "127.0.0.1", "server_port": port}
    logins = {"auth": list(access.logins) or None}
    app.launch(prevent_thread_lock=True, quiet=True, **address, **logins, **launch_options())
    try:
        yield f"http://127.0.0.1:{port}", engine
    finally:
        app.close()


def opened(
    browser: playwright.Browser,  # noqa: F811
    address: str,
    *,
    locale: str = "zh-CN",
    width: int = 1280,
    waits: bool = True,
) -> playwright.Page:
    size = {"width": width, "height": 900}
    page = browser.new_context(viewport=size, locale=locale).new_page()
    page.set_default_timeout(60_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(address)
    if waits:
        page.get_by_role("tab").first.wait_for()
    return page


def tab(page: playwright.Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def drop(page: playwright.Page, path: Path) -> None:
    page.set_input_files("#make-files input[type=file]", path)
    page.locator("#make-novel").get_by_text("灯亮着").first.wait_for()


def write(page: playwright.Page, where: str, text: str) -> None:
    page.fill(f"{where} textarea, {where} input", text)


def step(page: playwright.Page, name: str) -> None:
    page.click(f"#make-bar [data-name={name}]:not([disabled])")


def test_a_novel_becomes_a_character_that_answers(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
    model: Path,
    tmp_path: Path,
) -> None:
    with served(home) as (address, engine):
        page = opened(browser, address)
        tab(page, "制作")
        drop(page, tmp_path / f"{TITLE}.txt")
        assert "gb18030" in page.inner_text("#make-novel")
        page.click("#make-take")
        page.locator("#speakers-text").get_by_text("还不知道谁在说话").wait_for()
        page.get_by_text("重新找谁在说话").click()
        page.click("#labelling-rules")
        quotes = page.locator("#speakers-text .rp-quote")
        quotes.first.wait_for()
        _correct(page, quotes)
        step(page, "train")
        page.locator("#train-who label", has_text="小舟").wait_for()
        page.get_by_text("更多设置").click()
        write(page, "#train-model", str(model))
        write(page, "#train-steps", "4")
        page.click("#train-start")
        _reload_finds_it(browser, address)
        # Where the machine is busy, the imports of the job alone take a minute.
        page.locator('#make-progress [data-state="done"]').wait_for(timeout=300_000)
        page.locator("#train-plot").wait_for()
        page.locator("#train-samples").get_by_text("第 4 步").wait_for()
        step(page, "talk")
        page.locator("#make-people").get_by_text("阿灯").wait_for()
        page.click("#make-talk")
        page.wait_for_selector("#status .rp-ready")
        assert engine.loaded().checkpoint == home.checkpoints.resolve() / f"{TITLE}-tiny-lora"
        assert page.problems == []
    world = home.path(TITLE)
    assert "铜婆" in speakers.read_book(world).count()


def _correct(page: playwright.Page, quotes: playwright.Locator) -> None:
    """Two quotes are given to others, one of them is taken back."""
    quotes.nth(2).click()
    page.locator("#speakers-text .rp-chosen").wait_for()
    page.locator("#speakers-who label", has_text="小舟").click()
    page.wait_for_function(
        "document.querySelectorAll('#speakers-text .rp-quote')[2].innerText.startsWith('小舟')"
    )
    quotes.nth(5).click()
    page.locator("#speakers-text .rp-chosen").wait_for()
    write(page, "#speakers-other", "铜婆")
    page.keyboard.press("Enter")
    page.locator("#speakers-text sup", has_text="铜婆").first.wait_for()
    quotes.nth(8).click()
    page.locator("#speakers-text .rp-chosen").wait_for()
    page.locator("#speakers-who label", has_text="阿灯").click()
    page.wait_for_function(
        "document.querySelectorAll('#speakers-text .rp-quote')[8].innerText.startsWith('阿灯')"
    )
    page.click("#speakers-undo")
    page.wait_for_function(
        "!document.querySelectorAll('#speakers-text .rp-quote')[8].innerText.startsWith('阿灯')"
    )


def _reload_finds_it(browser: playwright.Browser, address: str) -> None:  # noqa: F811
    """Another tab shows the run within three seconds of being there."""
    other = opened(browser, address)
    other.get_by_role("tab", name="制作", exact=True).wait_for()
    tab(other, "制作")
    other.locator('#make-progress [data-state="running"]').wait_for(timeout=3000)
    other.context.close()


def test_a_run_outlives_the_program_and_a_second_one_is_refused(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
    model: Path,
    tmp_path: Path,
) -> None:
    with served(home) as (address, _):
        page = opened(browser, address)
        tab(page, "制作")
        drop(page, tmp_path / f"{TITLE}.txt")
        page.click("#make-all")
        page.locator('#make-progress [data-state="running"]').wait_for()
        page.click("#make-all")
        page.locator(".toast-body", has_text="正在运行").first.wait_for()
    with served(home) as (address, _):
        page = opened(browser, address)
        tab(page, "制作")
        page.locator('#make-progress [data-state="running"]').wait_for(timeout=5000)
        page.click("#make-stop")
        page.locator('#make-progress [data-state="stopped"]').wait_for()
        page.locator("#make-resume").wait_for()
    seen = runs.watch(home.path(TITLE))
    assert seen and jobs.state(seen.job) == "stopped"


def test_worlds_are_made_deleted_and_moved_as_zips(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
    tmp_path: Path,
) -> None:
    with served(home) as (address, _):
        page = opened(browser, address)
        tab(page, "书架")
        write(page, "#library-title", "新书")
        page.click("#library-new")
        page.locator("#library .rp-tile", has_text="新书").wait_for()
        page.locator("#library .rp-tile", has_text="新书").click()
        page.locator('#library [aria-pressed="true"]').wait_for()
        with page.expect_download() as download:
            page.click("#library-pack")
        download.value.save_as(tmp_path / "新书.zip")
        assert "world/world.json" in zipfile.ZipFile(tmp_path / "新书.zip").namelist()
        page.click("#library-delete")
        page.locator("#library .rp-tile").wait_for(state="detached")
        page.click("#library-undo")
        page.locator("#library .rp-tile", has_text="新书").wait_for()
        with page.expect_file_chooser() as chooser:
            page.click("#library-upload")
        chooser.value.set_files(tmp_path / "新书.zip")
        page.wait_for_function("document.querySelectorAll('#library .rp-tile').length == 2")
        assert page.problems == []


def test_a_file_that_is_no_novel_is_one_line(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
    tmp_path: Path,
) -> None:
    (tmp_path / "空.txt").write_bytes(b"\n\n")
    with served(home) as (address, _):
        page = opened(browser, address)
        tab(page, "制作")
        page.set_input_files("#make-files input[type=file]", tmp_path / "空.txt")
        page.locator(".toast-body", has_text="没有文字").first.wait_for()
    assert home.names() == []


def test_strangers_on_a_shared_machine_only_talk(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
) -> None:
    with served(home, Access(shared=True)) as (address, _):
        page = opened(browser, address, locale="en-GB")
        page.get_by_role("tab", name="Owner", exact=True).click()
        page.get_by_text("switched off here").wait_for()
        for name in ("Library", "Make", "Model"):
            assert page.get_by_role("tab", name=name, exact=True).count() == 0


def test_the_owner_logs_in_and_makes(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
) -> None:
    logins = (("me", "secret"), ("you", "word"))
    with served(home, Access(True, "me", logins)) as (address, _):
        for name, word, tabs in (("me", "secret", 1), ("you", "word", 0)):
            page = opened(browser, address, waits=False)
            page.locator("input").nth(0).fill(name)
            page.locator("input").nth(1).fill(word)
            page.get_by_role("button").first.click()
            page.get_by_role("tab", name="提问", exact=True).wait_for()
            page.wait_for_timeout(1500)
            assert page.get_by_role("tab", name="制作", exact=True).count() == tabs
            page.context.close()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_nothing_of_these_tabs_is_wider_than_a_phone(
    browser: playwright.Browser,  # noqa: F811
    home: Library,
    locale: str,
) -> None:
    home.new("一个名字很长很长很长很长很长很长很长很长很长的世界")
    names = ("书架", "制作", "模型") if locale == "zh-CN" else ("Library", "Make", "Model")
    with served(home) as (address, _):
        page = opened(browser, address, width=390, locale=locale)
        for name in names:
            found = page.get_by_role("tab", name=name, exact=True)
            if not found.count():  # behind the button for what does not fit
                page.locator(".overflow-menu > button").first.click()
                found = page.locator(".overflow-dropdown button", has_text=name)
            found.first.click()
            page.wait_for_timeout(800)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
