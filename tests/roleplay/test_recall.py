"""Exchanges that are near: by what was said, and by what a follow-up follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from roleplay.recall import Exchange, Recall, keys_of
from roleplay.stages import recall as stage
from roleplay.world import World

SAID = [
    Exchange("闻筝", "晚安，明天见。", "窗关好。"),
    Exchange("闻筝", "为什么？", "水不等人。", before="窗关好。"),
    Exchange("闻筝", "为什么？", "因为你笨。", before="我不去。"),
    Exchange("陆迟", "晚安。", "您、您也晚安。"),
]


def embed(texts: Sequence[str]) -> Any:
    """Letters as dimensions: near is who shares them."""
    rows = np.zeros((len(texts), 4096), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for letter in text:
            row[ord(letter) % 4096] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


RECALL = Recall(SAID, embed(keys_of(SAID)), embed)


def test_the_nearest_of_the_character_alone() -> None:
    [found] = RECALL.near("闻筝", "晚安啦", 1)
    assert found.answer == "窗关好。" and 0.1 < found.score < 1
    assert RECALL.near("陆迟", "晚安。", 3)[0].score > 0.8
    assert RECALL.near("郝婶", "晚安。", 3) == RECALL.near("闻筝", " ", 3) == []


def test_a_follow_up_is_found_by_what_it_follows() -> None:
    assert RECALL.near("闻筝", "为什么？", 1, before="窗关好。")[0].answer == "水不等人。"
    assert RECALL.near("闻筝", "为什么？", 1, before="我不去。")[0].answer == "因为你笨。"


def test_a_worlds_exchanges_are_kept_with_what_they_were_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    class Embedder:
        name = "letters"

        def encode(self, texts: Sequence[str]) -> Any:
            calls.append(len(texts))
            return embed(texts)

    monkeypatch.setattr(stage, "get_embedder", Embedder)
    world = World.load(tiny.write_world(tmp_path / "toy"))
    row = {"character": "阿灯", "turns": [["灯呢？", "在船上。"], ["哪条船？", "绿的。"]]}
    (world.path / "conversations.jsonl").write_text(json.dumps(row), encoding="utf-8")
    first = stage.world_recall(world)
    assert first and first.near("阿灯", "灯呢？", 1)[0].answer == "在船上。"
    count = len(stage.exchanges_of(world))
    stage.world_recall(world)
    assert calls == [count, 1]  # made once; the other is the question
    (world.path / "recall.npz").write_bytes(b"broken")
    stage.world_recall(world)
    assert calls == [count, 1, count]
    assert stage.exchanges_of(world)[1].before == "在船上。"
