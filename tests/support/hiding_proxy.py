"""Stands between clients and the mock broker; on demand, metadata tells of topics but no brokers.

So does a broker while the controller has it fenced, and one that is told to stop.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

from support.mock_broker import PARTITIONS, MockBroker

_METADATA, _FLEXIBLE, _WITH_IDS, _LAST_WITH_RIGHTS = 3, 9, 10, 10
_NO_LEADER = 5
_HOST = b"127.0.0.1"


class HidingProxy:
    """Clients that come by it learn its port as the broker's.

    Args:
        broker: stands behind it.
        topic: the one that is told of while the broker is hidden.
    """

    def __init__(self, broker: MockBroker, topic: str) -> None:
        self.hides = False
        self.hidden_at: list[float] = []
        self._behind = int(broker.servers.rpartition(":")[2])
        self._topic = topic.encode()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._port = self._server.getsockname()[1]
        self.servers = f"127.0.0.1:{self._port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hide_until_forgotten(self, silent_s: float = 3, seconds: float = 60) -> None:
        """Hide the broker until no client has asked for so long: whoever knows one asks often."""
        self.hides, deadline = True, time.monotonic() + seconds
        while not self.hidden_at or time.monotonic() < self.hidden_at[-1] + silent_s:
            assert time.monotonic() < deadline, f"asked {len(self.hidden_at)} times, and again"
            time.sleep(0.1)
        self.hides = False

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                broker = socket.create_connection(("127.0.0.1", self._behind))
                asked: dict[int, tuple[int, int]] = {}
                for work in (self._up, self._down):
                    threading.Thread(target=work, args=(client, broker, asked), daemon=True).start()

    def _up(
        self, client: socket.socket, broker: socket.socket, asked: dict[int, tuple[int, int]]
    ) -> None:
        with client, broker, contextlib.suppress(OSError):
            for request in _frames(client):
                api, version, number = struct.unpack_from(">hhi", request)
                asked[number] = (api, version)
                broker.sendall(struct.pack(">i", len(request)) + request)
            broker.shutdown(socket.SHUT_RDWR)

    def _down(
        self, client: socket.socket, broker: socket.socket, asked: dict[int, tuple[int, int]]
    ) -> None:
        with contextlib.suppress(OSError):
            for answer in _frames(broker):
                (number,) = struct.unpack_from(">i", answer)
                told = self._told(answer, number, *asked.pop(number))
                client.sendall(struct.pack(">i", len(told)) + told)
            client.shutdown(socket.SHUT_RDWR)

    def _told(self, answer: bytes, number: int, api: int, version: int) -> bytes:
        if api == _METADATA and self.hides and self._topic in answer:
            self.hidden_at.append(time.monotonic())
            return _no_brokers(number, version, self._topic)
        there, here = (_HOST + struct.pack(">i", port) for port in (self._behind, self._port))
        return answer.replace(there, here)


def _frames(connection: socket.socket) -> Iterator[bytes]:
    with connection.makefile("rb") as file:
        while head := file.read(4):
            yield file.read(struct.unpack(">i", head)[0])


def _no_brokers(number: int, version: int, topic: bytes) -> bytes:
    assert version >= _FLEXIBLE
    alone = b"\x02" + struct.pack(">i", 1)  # in replicas, in sync, offline: the hidden one
    partitions = b"".join(
        struct.pack(">hiii", _NO_LEADER, partition, -1, 0) + alone * 3 + b"\x00"
        for partition in range(PARTITIONS)
    )
    unasked = struct.pack(">i", -(2**31))
    return b"".join(
        (
            struct.pack(">ixi", number, 0),
            b"\x01\x00" + struct.pack(">i", -1),  # no brokers, no cluster id, no controller
            b"\x02" + struct.pack(">hB", _NO_LEADER, len(topic) + 1) + topic,
            bytes(16) if version >= _WITH_IDS else b"",
            b"\x00" + bytes([PARTITIONS + 1]) + partitions + unasked + b"\x00",
            unasked if version <= _LAST_WITH_RIGHTS else b"",
            bytes(2) if version > _LAST_WITH_RIGHTS + 2 else b"",
            b"\x00",
        )
    )
