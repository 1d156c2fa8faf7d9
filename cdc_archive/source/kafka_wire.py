"""How kafka-python takes answers from the network: in large pieces, with fewer copies.

It asks a socket for 4 KiB at a time, gives way to other threads each time, and copies an answer of
some MiB five times before it looks at it. Three of its private classes are replaced, for all of its
clients in this process, by ones that do the same with less.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from kafka.errors import KafkaConnectionError
from kafka.net import manager, transport
from kafka.protocol import frame, parser

_PIECE: Final = 256 * 1024
_TLS_RECORD: Final = 16 * 1024
_NOTHING_NOW: Final = (
    BlockingIOError,
    InterruptedError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
)


class _InPieces:
    """What a socket holds, up to a piece of it. The piece is used again for what comes next."""

    _sock: Any
    _piece: memoryview | None = None

    def _sock_recv(self) -> tuple[memoryview | bytes, KafkaConnectionError | None]:
        """Stops while there is room for a whole TLS record: what is left of one in the TLS layer
        is not seen by who waits for the socket.
        """
        if self._piece is None:
            self._piece = memoryview(bytearray(_PIECE))
        piece, had = self._piece, 0
        try:
            while len(piece) - had >= _TLS_RECORD:
                size = self._sock.recv_into(piece[had:])
                if not size:
                    transport.log.error("%s: socket disconnected", self)
                    return b"", KafkaConnectionError("socket disconnected")
                had += size
        except _NOTHING_NOW:
            pass
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends this connection
            transport.log.exception("%s: Error receiving network data closing socket", self)
            return b"", KafkaConnectionError(error)
        return piece[:had], None


class _Plain(_InPieces, transport.KafkaTCPTransport):  # type: ignore[misc]  # untyped
    pass


class _Tls(_InPieces, transport.KafkaSSLTransport):  # type: ignore[misc]
    pass


class _Answer(frame.KafkaBytes):  # type: ignore[misc]
    """One answer, filled and read by views of it."""

    _idx: int

    def write(self, data: bytes | memoryview) -> None:
        start = self._idx
        self._idx += len(data)
        with memoryview(self) as view:
            view[start : self._idx] = data

    def read(self, nbytes: int | None = None) -> Any:
        """The decoder copies out of the view what it keeps."""
        if nbytes is not None:
            return super().read(nbytes)
        start, self._idx = self._idx, len(self)
        return memoryview(self)[start:]


def receive_in_pieces() -> None:
    """From now on, in connections that are made from now on."""
    manager.KafkaTCPTransport = _Plain
    manager.KafkaSSLTransport = _Tls
    parser.KafkaBytes = _Answer
