"""Comparing an object with what it should be, a piece at a time: it is never held whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdc_archive.storage.object_store import Content

_PIECE_BYTES: Final = 1 << 20


def begins_with(read: Callable[[int], bytes], data: Content) -> bool:
    """Whether an object begins with `data`.

    One that differs is read to its end all the same: a client that compares checksums does so
    there, and what was garbled on the way must not be taken for another object.

    Args:
        read: gives the object's next bytes, at most so many; none at its end.
        data: what should come.
    """
    wanted, at = memoryview(data), 0
    while at < len(wanted):
        piece = read(min(_PIECE_BYTES, len(wanted) - at))
        if not piece or piece != wanted[at : at + len(piece)]:
            while read(_PIECE_BYTES):
                pass
            return False
        at += len(piece)
    return True
