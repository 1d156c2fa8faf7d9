"""A published log in a bucket: objects of JSON lines, plain or gzip, below a prefix."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from cdc_archive.archive.reader.window import Window
from cdc_archive.errors import NothingFound, SourceInvalid
from cdc_archive.reconcile.file_log import events_of
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.shape import Shape
from cdc_archive.storage.object_store import ObjectStore

LARGEST: Final = 256 << 20
"""Of one object, which is held in memory while it is read."""


class BucketLog:
    """See the port, published.py.

    Args:
        store: what lies below the prefix; its keys are relative to it.
        name: where that is, for messages.
        shape: reads events.
        empty: whether nothing may lie there yet.
    """

    def __init__(self, store: ObjectStore, name: str, shape: Shape, *, empty: bool = False) -> None:
        self._store = store
        self._name = name.rstrip("/")
        self._shape = shape
        self._may_be_empty = empty

    def events(self, window: Window) -> Iterator[Published | Unreadable]:
        """See the port. All objects are read: what they are called says nothing of their times."""
        self._store.check()
        found = 0
        for stat in self._store.list(""):
            if stat.key.endswith("/"):
                continue  # some consoles mark a folder so
            found += 1
            where, data = f"{self._name}/{stat.key}", self._store.get(stat.key, LARGEST)
            try:
                yield from events_of(BytesIO(data), where, self._shape)
            except (OSError, EOFError, zlib.error) as error:
                raise SourceInvalid(f"{where} cannot be read to its end: {error}") from None
        if not found and not self._may_be_empty:
            raise NothingFound(f"nothing lies below {self._name}", "Check the bucket and prefix.")
