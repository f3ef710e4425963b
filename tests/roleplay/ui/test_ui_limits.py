"""A limit for each client of a shared page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from roleplay.ui.limits import ClientLimit


def client(**most: int) -> TestClient:
    def done(request: object) -> PlainTextResponse:
        return PlainTextResponse("ok")

    paths = ("/gradio_api/queue/join", "/gradio_api/upload", "/other")
    routes = [Route(path, done, methods=["GET", "POST"]) for path in paths]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(ClientLimit, **most)]))


def test_what_is_over_the_limit_is_refused_and_only_that() -> None:
    page = client(events=2, uploads=1)
    answers = [page.post("/gradio_api/queue/join").status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert page.post("/gradio_api/upload").status_code == 200
    refused = page.post("/gradio_api/upload")
    assert refused.status_code == 429 and refused.headers["retry-after"] == "20"
    assert page.get("/gradio_api/queue/join").status_code == 200
    assert page.post("/other").status_code == 200


def test_each_client_has_its_own() -> None:
    page = client(events=1)
    for address in ("10.0.0.1", "10.0.0.2", "spoofed, 10.0.0.3"):
        headers = {"x-forwarded-for": address}
        answers = [
            page.post("/gradio_api/queue/join", headers=headers).status_code for _ in range(2)
        ]
        assert answers == [200, 429]
