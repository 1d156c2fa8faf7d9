"""An HTTP server on this machine that says what it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering:
    """What it answers: a status (0: none, it hangs up) and a text."""

    def __init__(self) -> None:
        self.status, self.text, self.url = 200, "", ""


@contextmanager
def answering() -> Iterator[Answering]:
    """Start one, stop it at the end."""
    answer = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not answer.status:
                self.close_connection = True
                return
            body = answer.text.encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    answer.url = f"http://127.0.0.1:{server.server_port}/metrics"
    try:
        yield answer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
