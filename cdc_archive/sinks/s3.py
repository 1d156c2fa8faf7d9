"""Events as objects of JSON lines in a bucket: created once, named by what they hold."""

from __future__ import annotations

import hashlib
from typing import Final

from cdc_archive.errors import Stop
from cdc_archive.sinks.sink import Line
from cdc_archive.storage.object_store import ObjectStore

_BYTES: Final = 8 << 20
"""An object has about so many."""


class ObjectSink:
    """See the port. An object of the same name holds the same events: it is not written again.

    Objects become visible one after the other. What a run that broke has written stays; the next
    one that is given the same events finds it, and writes the rest.

    Args:
        store: what lies below the prefix.
        size: bytes of an object, about.
    """

    def __init__(self, store: ObjectStore, size: int = _BYTES) -> None:
        self._store = store
        self._size = size
        self._lines = bytearray()
        self.created = 0

    def write(self, line: Line) -> None:
        """See the port."""
        self._lines += line.event + b"\n"
        if len(self._lines) >= self._size:
            self._create()

    def close(self) -> None:
        """See the port."""
        if self._lines:
            self._create()

    def abort(self) -> None:
        """See the port: what is visible stays, and is no damage: the events are true."""
        self._lines.clear()

    def _create(self) -> None:
        data = bytes(self._lines)
        key = f"backfill-{hashlib.sha256(data).hexdigest()[:32]}.jsonl"
        if self._store.create(key, data):
            self.created += 1
        elif not self._store.holds(key, data):
            raise Stop(f"{key} is there already, and is not what its name says")
        self._lines.clear()
