"""Proxies of the environment: what can be used stays, what cannot goes, this machine needs none."""

import os
import socket
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest

from roleplay import proxies
from tests import children

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *map(str.upper, NAMES)):
        monkeypatch.setenv(name, "")  # so that what is set here is undone after the test
        monkeypatch.delenv(name)


def now(name: str) -> str:
    return dict(os.environ)[name]


def test_without_proxies_nothing_is_set() -> None:
    assert proxies.mend() == [] and "no_proxy" not in os.environ


def test_a_usable_proxy_stays_and_this_machine_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:7890")
    monkeypatch.setenv("no_proxy", "example.org, localhost")
    assert proxies.mend("192.168.0.7") == []
    assert now("https_proxy") == "http://127.0.0.1:7890"
    exempt = now("no_proxy").split(",")
    assert exempt == ["example.org", "localhost", "127.0.0.1", "::1", "0.0.0.0", "192.168.0.7"]


@pytest.mark.parametrize(
    "value",
    ["socks4://127.0.0.1:1", "ftp://x", "http://[::1", "http://x:99999999", "http://", "://"],
)
def test_what_httpx_cannot_use_is_taken_out(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", value)
    monkeypatch.setenv("http_proxy", "127.0.0.1:7890")
    assert proxies.mend() == ["all_proxy"]
    assert "all_proxy" not in os.environ and now("http_proxy") == "http://127.0.0.1:7890"
    httpx2.Client().close()


@pytest.mark.parametrize("value", ["socks://127.0.0.1:1", "socks5://127.0.0.1:1", "socks5h://x:1"])
def test_socks_is_used_where_its_package_is(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", value)
    left_out = proxies.mend()
    if find_spec("socksio"):
        assert left_out == [] and now("all_proxy").startswith("socks5")
    else:
        assert left_out == ["all_proxy"]
    httpx2.Client().close()


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("127.0.0.3", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("app.localhost", True),
        ("192.168.0.7", False),
        ("localhost.example.org", False),
    ],
)
def test_this_machine(host: str, own: bool) -> None:
    assert proxies.is_loopback(host) is own


def test_the_page_is_up_whatever_the_proxies_are(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    odd = {"all_proxy": "socks://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    flags = ["--port", str(port), "--model", str(tmp_path / "none")]
    command = [sys.executable, str(children.ROOT / "app.py"), *flags]
    with subprocess.Popen(
        command,
        env=children.environment(**odd),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as app:
        try:
            assert app.stdout is not None
            told = iter(app.stdout.readline, "")
            assert any(line.startswith(f"open http://127.0.0.1:{port}") for line in told)
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            assert direct.open(f"http://127.0.0.1:{port}/", timeout=30).status == 200
        finally:
            app.kill()
