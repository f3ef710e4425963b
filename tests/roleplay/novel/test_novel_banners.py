"""Banners of sites are told from prose."""

import pytest

from roleplay.novel.cleaning import is_banner


@pytest.mark.parametrize(
    "text",
    [
        "TXT之家  https://www.example.com，提供小说手机免费下载",
        "本书由某某网整理制作，更多好书请访问 WWW.EXAMPLE.NET",
        "更多精彩小说请关注公众号",
        "txt全集下载尽在本站",
    ],
)
def test_banners(text: str) -> None:
    assert is_banner(text)


@pytest.mark.parametrize(
    "text",
    [
        "雨停了，灯还亮着。",
        "他把信下载到电脑里，反复读了三遍。",
        "她请他访问那座城。",
        "本书没有第二卷。",
        "长" * 400 + "www.a.com",
    ],
)
def test_prose(text: str) -> None:
    assert not is_banner(text)
