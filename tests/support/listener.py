"""An HTTP server that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message as Headers
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """What came."""

    method: str
    path: str
    headers: Headers
    body: bytes


class Listener:
    """The server's side. `status` and `headers`: its answers; `hold`: set it, and it answers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()
        self.url = ""


@contextmanager
def listener(tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    """Start one, stop it at the end."""
    heard = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard.requests.append(Request(self.command, self.path, self.headers, body))
            heard.hold.wait(20)
            self.send_response(heard.status)
            for name, value in {"Content-Length": "0", **heard.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up says why
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    scheme = "http" if tls is None else "https"
    heard.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/hook/T0SECRETPATH?key=K0SECRET"
    try:
        yield heard
    finally:
        heard.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def until(done: Callable[[], object], seconds: float = 10) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.005)
