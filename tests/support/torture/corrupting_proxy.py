"""A proxy that flips a bit in PUT bodies and GET answers, or loses the answer to a PUT.

HTTP/1.1 with Content-Length only, which is what S3 clients and servers speak here.
"""

from __future__ import annotations

import random
import re
import socket
import threading
from typing import BinaryIO

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class CorruptingProxy:
    """Listens on a free port of the loopback and passes all on to a server.

    Args:
        upstream: the server's port.
        seed: decides what is hit.
        flip: probability that a body is hit.
        lose: probability that the connection is cut after the server answered a PUT.
    """

    def __init__(self, upstream: int, seed: int, *, flip: float = 0.0, lose: float = 0.0) -> None:
        self.flip, self.lose = flip, lose
        self.hit_puts = self.hit_gets = self.lost_puts = 0
        self._upstream, self._rng = upstream, random.Random(seed)
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, name="corrupting", daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
                requests, answers = client.makefile("rb"), server.makefile("rb")
                with requests, answers:
                    while self._one(client, requests, server, answers):
                        pass
        except OSError:
            return  # either side went away

    def _one(
        self, client: socket.socket, requests: BinaryIO, server: socket.socket, answers: BinaryIO
    ) -> bool:
        """One request and its answer; False at the end of the connection."""
        head = _head(requests)
        method = head.split(b" ", 1)[0]
        server.sendall(head)
        if b"100-continue" in head.lower():
            answer = _head(answers)
            client.sendall(answer)
            if not answer.startswith(b"HTTP/1.1 100"):
                return False
        body = requests.read(_length(head))
        if method == b"PUT" and self._strikes(body, self.flip):
            self.hit_puts += 1
            body = self._flipped(body)
        server.sendall(body)
        answer = _head(answers)
        if (
            method == b"PUT"
            and answer.startswith(b"HTTP/1.1 200")
            and self._strikes(b"x", self.lose)
        ):
            self.lost_puts += 1
            return False
        client.sendall(answer)
        told = b"" if method == b"HEAD" else answers.read(_length(answer))
        if method == b"GET" and self._strikes(told, self.flip):
            self.hit_gets += 1
            told = self._flipped(told)
        client.sendall(told)
        return bool(head and answer)

    def _strikes(self, body: bytes, rate: float) -> bool:
        with self._lock:
            return bool(body) and self._rng.random() < rate

    def _flipped(self, body: bytes) -> bytes:
        with self._lock:
            at, bit = self._rng.randrange(len(body)), 1 << self._rng.randrange(8)
        return body[:at] + bytes([body[at] ^ bit]) + body[at + 1 :]


def _head(stream: BinaryIO) -> bytes:
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            break
    return b"".join(lines)


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0
