"""The background as a person sees it: pages in and out, searched, tried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from roleplay.backends.scripted import ScriptedBackend
from roleplay.dialogue import CharacterAgent
from roleplay.errors import WorldError
from roleplay.stages import knowledge, wiki
from roleplay.world import World

PAGE = "闻筝最爱吃椒盐豆糕，住在檐下巷四十一号。"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return World.create(tmp_path / "mine", "我的").path


@pytest.fixture
def built(world: Path) -> Path:
    wiki.write_page(world, "闻筝", PAGE)
    wiki.write_page(world, "雨钟", "十二口雨钟挂在天檐下，雨停要敲钟。")
    knowledge.run(knowledge.Settings(world=world))
    return world


def test_a_page_is_written_read_changed_and_taken_out(world: Path) -> None:
    name = wiki.write_page(world, "闻筝", PAGE)
    assert wiki.pages(world) == [name] and wiki.read_page(world, name) == f"# 闻筝\n\n{PAGE}\n"
    assert wiki.write_page(world, name, "# 闻筝\n\n修雨匠") == name
    assert wiki.read_page(world, name).endswith("修雨匠\n")
    wiki.delete_page(world, name)
    assert wiki.pages(world) == [] and (world / "wiki.deleted" / name).exists()


@pytest.mark.parametrize("title", ["../../evil", "a/b", "..\\x"])
def test_a_title_never_leads_out_of_the_wiki(world: Path, title: str) -> None:
    name = wiki.write_page(world, title, PAGE)
    assert wiki.pages(world) == [name] and not list(world.parent.glob("*.md"))


@pytest.mark.parametrize("name", ["../world.json", "nothing.md", ""])
def test_only_pages_are_read_and_deleted(world: Path, name: str) -> None:
    for act in (wiki.read_page, wiki.delete_page):
        with pytest.raises(WorldError, match="there is no page"):
            act(world, name)


@pytest.mark.parametrize(("title", "text"), [("", PAGE), ("长" * 81, PAGE), ("题", " ")])
def test_a_page_has_a_title_and_a_text(world: Path, title: str, text: str) -> None:
    with pytest.raises(WorldError, match="a page needs"):
        wiki.write_page(world, title, text)


def test_files_of_all_kinds_are_dropped_in(world: Path, tmp_path: Path) -> None:
    for name, text in (("雨.wiki", "'''雨'''是[[闻筝]]修的。"), ("钟.md", "# 钟\n\n钟在檐上。")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert wiki.add_pages(world, [tmp_path / "雨.wiki", tmp_path / "钟.md"]) == 2
    assert wiki.pages(world) == ["钟.md", "雨.wiki"]


def test_what_is_no_page_is_told_and_nothing_is_kept(world: Path, tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"x")
    (tmp_path / "b.md").write_text("# 钟\n\n钟在檐上。", encoding="utf-8")
    with pytest.raises(WorldError, match=r"a\.exe is no wiki page"):
        wiki.add_pages(world, [tmp_path / "b.md", tmp_path / "a.exe"])
    assert wiki.pages(world) == []


def test_a_changed_page_makes_the_background_stale(built: Path) -> None:
    assert not wiki.is_stale(built)
    wiki.delete_page(built, "雨钟.md")
    assert wiki.is_stale(built)


def test_a_search_has_scores(built: Path) -> None:
    found = wiki.search(built, "闻筝最爱吃什么")
    assert "椒盐豆糕" in found[0].text and 0 < found[0].score <= 1
    with pytest.raises(WorldError, match="write what to look for"):
        wiki.search(built, " ")


def test_without_a_knowledge_base_the_next_step_is_told(world: Path) -> None:
    with pytest.raises(WorldError, match="press 'build background' first"):
        wiki.search(world, "闻筝")


def test_a_trial_counts_what_a_prompt_gets(built: Path) -> None:
    estimated = wiki.trial(built, None, "闻筝", "你最爱吃什么？")
    assert estimated.used and not estimated.exact and 10 < estimated.tokens <= estimated.budget
    agent = CharacterAgent(ScriptedBackend(["好。"]), characters=["闻筝"], snippets=1)
    exact = wiki.trial(built, agent, "闻筝", "你最爱吃什么？")
    assert exact.exact and len(exact.used) == 1
    assert exact.tokens == len(f"【{exact.used[0].text}】\n")
