"""A TCP proxy before an S3 server: counts requests by kind, and slows uploads down if asked to."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

_REQUEST = re.compile(rb"(PUT|GET|HEAD|POST|DELETE) (\S+) HTTP/1\.1\r\n")
_CHUNK = 65_536


class Proxy:
    """Listens on a free port of the loopback until closed.

    Args:
        port: of the server behind it.
        bytes_per_s: what all connections together may send to it; 0: as fast as it goes.
    """

    def __init__(self, port: int, bytes_per_s: int = 0) -> None:
        self._behind = port
        self._bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.requests: Counter[str] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._behind))
            except OSError:
                return
            for one in (client, server):  # or a body waits for the head before it to be confirmed
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._there, args=(client, server), daemon=True).start()
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        def on_chunk(chunk: bytes) -> None:
            request = _REQUEST.match(chunk)
            if request:
                with self._lock:
                    self.requests[_kind(request[1], request[2])] += 1
            self._wait(len(chunk))

        _copy(client, server, on_chunk)

    def _wait(self, size: int) -> None:
        if not self._bytes_per_s:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + size / self._bytes_per_s
            wait = self._free_at - time.monotonic()
        time.sleep(max(0.0, wait))


def _copy(
    source: socket.socket, target: socket.socket, on_chunk: Callable[[bytes], object] = len
) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            on_chunk(chunk)
            target.sendall(chunk)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()  # who reads from the target closes that


def _kind(method: bytes, path: bytes) -> str:
    return "LIST" if b"list-type=2" in path else method.decode()
