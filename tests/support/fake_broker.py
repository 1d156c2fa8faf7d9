"""A broker that offers every login, refuses each, and repeats what it was sent: a spiteful one."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
from collections.abc import Iterator

_HANDSHAKE, _API_VERSIONS, _AUTHENTICATE = 17, 18, 36
_UNSUPPORTED_VERSION, _REFUSED = 35, 58
_LARGEST = 1_000_000


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError, struct.error):
            while head := self.rfile.read(4):
                (size,) = struct.unpack(">i", head)
                if not 0 < size < _LARGEST:
                    return  # as Kafka does: this is TLS or HTTP
                self._answer(self.rfile.read(size))

    def _answer(self, request: bytes) -> None:
        api, version, number = struct.unpack_from(">hhi", request)
        said = repr(request[-200:]).encode()
        if api == _HANDSHAKE:
            names = [b"PLAIN", b"SCRAM-SHA-256", b"SCRAM-SHA-512"]
            listed = b"".join(struct.pack(">h", len(name)) + name for name in names)
            body = struct.pack(">hi", 0, len(names)) + listed
        elif api == _AUTHENTICATE:
            body = struct.pack(">hh", _REFUSED, len(said)) + said + struct.pack(">i", 0)
            body += struct.pack(">q", 0) * (version > 0)
        elif api == _API_VERSIONS:
            known = [(_HANDSHAKE, 0, 1), (_AUTHENTICATE, 0, 1), (_API_VERSIONS, 0, 0)]
            code = _UNSUPPORTED_VERSION if version else 0
            body = struct.pack(">hi", code, len(known))
            body += b"".join(struct.pack(">hhh", *one) for one in known)
        else:
            raise ConnectionError("not before a login")
        self.wfile.write(struct.pack(">ii", 4 + len(body), number) + body)


@contextlib.contextmanager
def fake_broker() -> Iterator[str]:
    """Its address, while it runs."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
