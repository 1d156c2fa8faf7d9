"""A store that fails as real ones do: before the work, after it, or in the middle of a listing."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

from cdc_archive.errors import StateUnknown, StoreBusy
from cdc_archive.storage.object_store import ObjectStat, ObjectStore


class FaultyStore:
    """Wraps a store.

    Args:
        inner: does the work.
        rng: decides, so a seed makes a run again.
        rate: probability that a call fails.
    """

    def __init__(self, inner: ObjectStore, rng: random.Random, rate: float) -> None:
        self.inner, self.rng, self.rate = inner, rng, rate
        self._lock = threading.Lock()

    def _fails(self) -> bool:
        with self._lock:
            return self.rng.random() < self.rate

    def create(self, key: str, data: bytes) -> bool:
        if self._fails():
            raise StoreBusy(f"{key}: 503 Slow Down")
        if self._fails():
            raise StateUnknown(f"{key}: cut off before it was done")
        created = self.inner.create(key, data)
        if self._fails():
            raise StateUnknown(f"{key}: cut off after it was done")
        return created

    def get(self, key: str, limit: int | None = None) -> bytes:
        if self._fails():
            raise StoreBusy(f"{key}: 500")
        return self.inner.get(key, limit)

    def holds(self, key: str, data: bytes) -> bool:
        if self._fails():
            raise StoreBusy(f"{key}: 500")
        return self.inner.holds(key, data)

    def stat(self, key: str) -> ObjectStat | None:
        if self._fails():
            raise StoreBusy(f"{key}: 500")
        return self.inner.stat(key)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        if self._fails():
            raise StoreBusy(f"{prefix}: 500")
        yield from self.inner.list(prefix, start_after)

    def check(self) -> None:
        self.inner.check()

    def close(self) -> None:
        self.inner.close()
