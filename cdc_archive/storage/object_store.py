"""The port to an object store: bytes under keys, created once and never changed.

Keys are relative to the archive's root, use "/" and are made by `archive.format.layout` only.
There is no way to overwrite or delete: the worker's credentials need no such right (I1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

Content = bytes | bytearray
"""What is stored. A bytearray is its owner's: read while the call lasts, never kept or changed."""


class ObjectStat(NamedTuple):
    """What a listing says of an object: key, size in bytes, time of creation (Unix seconds)."""

    key: str
    size: int
    modified: float


class ObjectStore(Protocol):
    """Every implementation passes tests/storage/contract.py."""

    def create(self, key: str, data: Content) -> bool:
        """Store `data` under `key` unless an object stands there, durably, all or nothing.

        The object's checksum is verified by the store where it can do so.

        Returns:
            True if this call created the object, False if one stood there already (HTTP 412).

        Raises:
            StateUnknown: the answer was lost (timeout, connection cut): it may exist now.
            StoreBusy: the store refused for now (throttled, 5xx, or 409: another create of this
                key is under way, and may yet fail); the object was not created.
            StoreUnsafe: the store does not know conditional writes.
            StoreUnreachable, BucketMissing, StoreDenied: a person must act.
        """
        ...

    def get(self, key: str, limit: int | None = None) -> bytes:
        """All bytes of an object.

        Args:
            key: its key.
            limit: how many bytes it may have; None: any number.

        Raises:
            ObjectMissing: nothing stands under this key.
            ObjectTooLarge: it has more than `limit` bytes, which were not read.
            StoreBusy, StoreUnreachable, BucketMissing, StoreDenied: as for `create`.
        """
        ...

    def holds(self, key: str, data: Content) -> bool:
        """Whether exactly `data` stands under `key`, without holding it twice. Raises as `get`."""
        ...

    def stat(self, key: str) -> ObjectStat | None:
        """Size and time of an object, None if nothing stands there. Raises as `get` otherwise."""
        ...

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        """Objects whose key begins with `prefix`, in byte order of the key, after `start_after`.

        Raises as `get`, but an empty listing is no error.
        """
        ...

    def check(self) -> None:
        """Fail early and clearly if the place cannot be used. Creates nothing.

        Raises:
            StoreUnreachable, BucketMissing, StoreDenied.
        """
        ...

    def close(self) -> None:
        """Free connections; may be called twice."""
        ...
