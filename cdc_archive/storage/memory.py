"""An object store in memory: for tests, and for looking at what would be written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from cdc_archive.errors import ObjectMissing, ObjectTooLarge
from cdc_archive.storage.object_store import Content, ObjectStat


class MemoryStore:
    """Keeps objects in a dict; safe to share between threads.

    Args:
        clock: Unix seconds, for the times that listings show.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, float]] = {}

    def create(self, key: str, data: Content) -> bool:
        """See the port."""
        with self._lock:
            if key in self._objects:
                return False
            self._objects[key] = (bytes(data), self._clock())
            return True

    def get(self, key: str, limit: int | None = None) -> bytes:
        """See the port."""
        try:
            data = self._objects[key][0]
        except KeyError:
            raise ObjectMissing(f"no object {key} in memory") from None
        if limit is not None and len(data) > limit:
            raise ObjectTooLarge(key, len(data), limit)
        return data

    def holds(self, key: str, data: Content) -> bool:
        """See the port."""
        return self.get(key) == data

    def stat(self, key: str) -> ObjectStat | None:
        """See the port."""
        found = self._objects.get(key)
        return None if found is None else ObjectStat(key, len(found[0]), found[1])

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        """See the port."""
        with self._lock:
            keys = sorted(self._objects, key=str.encode)
        after = start_after.encode()
        for key in keys:
            stat = self.stat(key)
            if key.startswith(prefix) and key.encode() > after and stat is not None:
                yield stat

    def check(self) -> None:
        """Memory is always there."""

    def close(self) -> None:
        """Nothing to free."""
