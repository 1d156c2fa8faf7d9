"""Where a change stands in the stream of its connector, and whether the stream begins anew there.

A connector that lost its replication slot or its offsets starts over: with a snapshot, or at the
slot's present end. PostgreSQL's connector then knows of no commit (`source.sequence` begins with
null), other connectors mark a snapshot. What changed in between was never sent.
Source: recorded streams (a kill -9 of Connect leaves `sequence` as it was), Debezium's manual.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from cdc_archive.changelog.record import JsonText

_INITIAL: Final = frozenset(
    {"true", "first", "first_in_data_collection", "last_in_data_collection", "last"}
)


STREAMED: Final = b'"snapshot":"false"'
"""Stands in the `source` of each change that is no part of a snapshot."""
NO_COMMIT: Final = b"[null"
"""How a `sequence` begins before PostgreSQL's connector knows of a commit."""

_LARGEST: Final = 1 << 127
_LONGEST_NAME: Final = 2048


class StreamPoint(NamedTuple):
    """`position` is how far the stream of `connector` has come.

    The LSN of the change, or of the last commit if that is higher (LSNs of transactions that
    overlap go back); of a binlog, file number << 48 | position.
    """

    connector: str
    position: int
    snapshot: bool
    begins: bool


class _Source(msgspec.Struct):
    name: str
    snapshot: str | bool | None = None
    sequence: str | None = None
    lsn: int | None = None
    file: str | None = None
    pos: int | None = None


_decode: Final = msgspec.json.Decoder(_Source).decode


def may_begin(source: JsonText) -> bool:
    """A quick look that tells most changes from those that can be the first of a stream.

    For `[null`, one character is sought first, as that is several times faster.
    """
    bracket = source.find(b"[")
    return (
        STREAMED not in source
        or source.startswith(NO_COMMIT, bracket)
        or (source.find(b"[", bracket + 1) > bracket >= 0 and NO_COMMIT in source)
    )


def stream_point(source: JsonText | None) -> StreamPoint | None:
    """The point that a `source` block names; None if it names none (incremental snapshots, say)."""
    if source is None:
        return None
    try:
        found = _decode(source)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    position = found.lsn if found.lsn is not None else binlog_position(found.file, found.pos)
    if position is not None and found.sequence is not None:
        position = max(position, _last_commit(found.sequence))
    if position is None or not 0 <= position < _LARGEST or len(found.name) > _LONGEST_NAME:
        return None
    snapshot = str(found.snapshot).lower() in _INITIAL
    begins = snapshot if found.sequence is None else found.sequence.startswith("[null")
    return StreamPoint(found.name, position, snapshot, begins)


def _last_commit(sequence: str) -> int:
    number = re.match(r'\["([0-9]{1,19})"', sequence)
    return 0 if number is None else int(number[1])


def binlog_position(file: str | None, pos: int | None) -> int | None:
    """File and position of a binlog as one number that rises; None if either is untold."""
    number = re.search(r"[0-9]{1,18}$", file or "")
    return None if number is None or pos is None else int(number[0]) << 48 | pos
