"""A real HTTP server on loopback that plays an OpenAI-compatible endpoint, faults and all.

with serve(answer) as server:
    ...  # server.url, server.requests, server.paid
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server does with one request; ``text`` None sends ``body``, ``drop`` cuts it off.

    ``delay`` (seconds) comes before the answer, ``drip`` after each of its bytes.
    """

    text: str | None = None
    status: int = 200
    finish: str = "stop"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    drop: bool = False
    delay: float = 0.0
    drip: float = 0.0
    good: bool = True


Answer = Callable[[dict[str, Any]], Reply]


class Server(ThreadingHTTPServer):
    """Counts what it was asked (``requests``) and its good answers by question (``paid``)."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.paid: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(body)
            self.server.keys.add(self.headers.get("Authorization", ""))
            reply = self.server.answer(body)
        time.sleep(reply.delay)
        if reply.drop:
            self.close_connection = True
            self.connection.close()
            return
        self._send(
            reply, completion(reply.text, reply.finish) if reply.text is not None else reply.body
        )
        if reply.text is not None and reply.good and reply.finish == "stop":
            with self.server.lock:
                self.server.paid[json.dumps(body["messages"], ensure_ascii=False)] += 1

    def _send(self, reply: Reply, body: str) -> None:
        data = body.encode()
        self.send_response(reply.status)
        kind = "application/json" if data.startswith((b"{", b"[")) else "text/html"
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        for byte in data if reply.drip else ():
            self.wfile.write(bytes([byte]))
            time.sleep(reply.drip)
        self.wfile.write(b"" if reply.drip else data)

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


def completion(text: str, finish: str = "stop") -> str:
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text},
    }
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    row = {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return json.dumps(row, ensure_ascii=False)


def error_body(message: str, code: str = "") -> str:
    return json.dumps({"error": {"message": message, "type": "x", "code": code}})


@contextmanager
def serve(answer: Answer) -> Iterator[Server]:
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
