"""/metrics, /healthz and /readyz over HTTP, for Prometheus and for whoever restarts the worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cdc_archive.errors import Stop

Verdict = Callable[[], list[str]]
"""What is wrong, a sentence each; nothing means well."""


class HealthServer:
    """Serves until closed.

    Args:
        host: address to listen on.
        port: port; 0 takes a free one.
        registry: what /metrics shows.
        healthy: asked for /healthz; 503 with reasons, or 200.
        ready: asked for /readyz.
        section: of the settings that name the port, for messages.

    Raises:
        Stop: the port cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        healthy: Verdict,
        ready: Verdict,
        section: str = "worker",
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._say(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                elif self.path in ("/healthz", "/readyz"):
                    wrong = healthy() if self.path == "/healthz" else ready()
                    body = json.dumps({"ok": not wrong, "wrong": wrong}).encode() + b"\n"
                    self._say(503 if wrong else 200, "application/json", body)
                else:
                    self._say(404, "text/plain", b"try /metrics, /healthz or /readyz\n")

            def _say(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """A probe every few seconds is no news."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise Stop(
                f"cannot listen on {host}:{port}: {error.strerror}",
                f"Set {section}.http_port to a free port, to 0 for any, or to -1 for none.",
            ) from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
