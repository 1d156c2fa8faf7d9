"""A list API as OpenAI's, on this machine: pages, bearer token, and troubles on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "sk-admin-secret"


class AuditApi:
    """The server's side: what it has, what it was asked, what it answers instead."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.asked: list[dict[str, str]] = []
        self.troubles: list[tuple[int, dict[str, str], bytes]] = []
        self.url = ""

    def page(self, asked: dict[str, str]) -> dict[str, Any]:
        """Newest first, after an id, no more than `limit`."""
        low = int(asked.get("effective_at[gte]", 0))
        high = int(asked.get("effective_at[lte]", 1 << 60))
        timed = [(_time(one), one) for one in self.events]
        found = [one for time, one in sorted(timed, key=_newest_first) if low <= time <= high]
        if "after" in asked:
            ids = [one["id"] for one in found]
            found = found[ids.index(asked["after"]) + 1 :]
        limit = min(int(asked["limit"]), 100)
        data = found[:limit]
        return {
            "object": "list",
            "data": data,
            "has_more": len(found) > limit,
            "last_id": data[-1]["id"] if data else None,
        }


def _time(event: dict[str, Any]) -> int:
    time = event["effective_at"]
    return time if isinstance(time, int) else 0


def _newest_first(timed: tuple[int, Any]) -> int:
    return -timed[0]


@contextmanager
def audit_api() -> Iterator[AuditApi]:
    """Start one, stop it at the end."""
    api = AuditApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = dict(parse_qsl(urlsplit(self.path).query))
            api.asked.append(asked)
            if api.troubles:
                status, headers, body = api.troubles.pop(0)
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, headers, body = 401, {}, b"{}"
            else:
                status, headers, body = 200, {}, json.dumps(api.page(asked)).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}/v1/organization/audit_logs"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
