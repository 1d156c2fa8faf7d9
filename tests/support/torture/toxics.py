"""Toxiproxy, told over its HTTP interface what to stand between and how to misbehave."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.local import parts
from infra.local.processes import StateFolder


class Proxy:
    """Stands between workers and one server.

    Args:
        state: the stack's folder; the proxy's program is started if it does not run.
        name: of the proxy.
        listen: the port that workers are told.
        upstream: the server's port.
    """

    def __init__(self, state: StateFolder, name: str, listen: int, upstream: int) -> None:
        parts.toxiproxy(state)
        self._api = f"http://127.0.0.1:{state.port('toxiproxy')}"
        self._name, self.port = name, listen
        self._ask(
            "POST",
            "/proxies",
            {
                "name": name,
                "listen": f"127.0.0.1:{listen}",
                "upstream": f"127.0.0.1:{upstream}",
                "enabled": True,
            },
        )

    @contextmanager
    def toxic(self, kind: str, stream: str, toxicity: float, **how: int) -> Iterator[None]:
        """Misbehave for a while.

        Args:
            kind: toxiproxy's: latency, timeout, reset_peer, limit_data, slow_close, bandwidth ...
            stream: `upstream` (what the worker sends) or `downstream` (the answers).
            toxicity: probability that a connection is hit.
            how: the toxic's attributes.
        """
        name = f"{kind}-{stream}"
        toxics = f"/proxies/{self._name}/toxics"
        told = {"name": name, "type": kind, "stream": stream, "toxicity": toxicity}
        self._ask("POST", toxics, told | {"attributes": how})
        try:
            yield
        finally:
            self._ask("DELETE", f"{toxics}/{name}")

    def close(self) -> None:
        """Remove the proxy."""
        self._ask("DELETE", f"/proxies/{self._name}")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._api + path, data, method=method)
        urllib.request.urlopen(request, timeout=10).close()
