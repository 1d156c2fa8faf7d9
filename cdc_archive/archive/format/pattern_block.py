"""The records of a block, taken apart by three patterns and slices.

That costs half of what a general decoder does, and a third if a record is not wanted. A record of
the usual form has whole numbers, a known op and no part above 8 KiB; any other, damage too, is left
to the general decoder. `compiled_block.pyx` does the same in C.
Source: Apache Avro 1.12 specification, "Binary Encoding"; the fields are change_record.avsc's.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, Protocol

import fastavro

from cdc_archive.archive.format import avro
from cdc_archive.archive.format.container import reading_schema
from cdc_archive.changelog.hour import ENVELOPE_TIME, KAFKA_TIME, NO_TIME, SOURCE_TIME
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import (
    OP_BEGIN,
    OP_END,
    OP_HEARTBEAT,
    OP_MESSAGE,
    OP_SCHEMA_CHANGE,
    OP_TOMBSTONE,
    OP_UNKNOWN_ROW,
    ChangeRecord,
    Headers,
)

Glance = Callable[[str, bytes | None, Headers], bool]
"""Whether a record is wanted, by its op, key and headers. One that is not is never built.

It is asked before the records ahead of it were handed out, and perhaps twice: its answer must
depend on nothing else.
"""

OPS: Final = (
    *("u", "c", "d", OP_TOMBSTONE, "r", OP_BEGIN, OP_END, "t"),
    *(OP_MESSAGE, OP_UNKNOWN_ROW, OP_HEARTBEAT, OP_SCHEMA_CHANGE),
)
"""The ops of records of the usual form, the most frequent first."""
HOUR_SOURCES: Final = (SOURCE_TIME, ENVELOPE_TIME, KAFKA_TIME, NO_TIME)

_MORE: Final = 0x80
"""From here on a byte is followed by more of the same number."""
_PARTS: Final = range(5)
"""before, after, source, transaction, envelope."""


def _bytes(numbers: range) -> bytes:
    return b"".join(b"\\x%02x" % number for number in numbers)


def _either(words: Iterable[bytes]) -> bytes:
    return b"|".join(map(re.escape, words))


# A number that is not negative has an even first byte. Its first two bytes are looked up in a
# table, the rest, which neighbours share, is remembered.
_LAST: Final = b"[%b]" % _bytes(range(0, 128, 2))
_FOLLOWED: Final = b"[%b]" % _bytes(range(128, 256, 2))
_NUMBER: Final = rb"(%b|%b.)(?:(?<=[\x80-\xff])([\x80-\xff]{0,6}[\x00-\x7f])|(?<![\x80-\xff]))" % (
    _LAST,
    _FOLLOWED,
)
_size: Final = re.compile(rb"\x00|\x02(%b|%b[\x00-\x7f])" % (_LAST, _FOLLOWED), re.DOTALL).match
"""Whether a part is there, and how long it is."""
_HEAD: Final = _NUMBER + _NUMBER + rb"([\x00\x02\x04])"
"""offset, timestamp, timestamp_type"""
_FIRST: Final = {avro.long(number): number for number in range(1 << 6)} | {
    bytes((low, high)): ((low & 0x7F) + ((high & 0x7F) << 7)) >> 1
    for low in range(128, 256, 2)
    for high in range(256)
}
_SHORT: Final = {b"\x02" + avro.long(length): length for length in range(1 << 6)}
"""The length of a part that is there, by its first two bytes."""
_OP: Final = {avro.sized(word.encode()): word for word in OPS}
_HOUR_SOURCE: Final = {avro.sized(word.encode()): word for word in HOUR_SOURCES}
_MIDDLE: Final = rb"(%b)(?:\x00|\x02%b)(%b)" % (_either(_OP), _NUMBER, _either(_HOUR_SOURCE))
"""op, event_time_us, hour_source"""
_HEADERS: Final = next(
    field["type"]
    for field in reading_schema("change_record.avsc")["fields"]
    if field["name"] == "headers"
)
_TIMESTAMP_TYPE: Final = {avro.long(index): index - 1 for index in range(3)}


class _Rest(dict[bytes | None, int]):
    """What the bytes of a number after its second one add to it."""

    _MOST: Final = 1 << 15

    def __missing__(self, encoded: bytes | None) -> int:
        if len(self) >= self._MOST:
            self.clear()
        rest = 0
        for byte in reversed(encoded or b""):
            rest = rest << 7 | byte & 0x7F
        self[encoded] = rest = rest << 13
        return rest


_rest: Final = _Rest()


_Match = Callable[[bytes, int], re.Match[bytes] | None]


class Block(Protocol):
    """A block while it is read."""

    @property
    def at(self) -> int:
        """Where in its payload the next record begins."""
        ...

    @property
    def left(self) -> int:
        """How many records are left."""
        ...

    def usual(self, most: int, /) -> list[ChangeRecord]:
        """The next wanted records, up to one that is not of the usual form or to `most`."""
        ...

    def passed(self, at: int, /) -> None:
        """The next one was read elsewhere and ends there."""
        ...


OpenBlock = Callable[[TopicPartition, str, int, bytes, Glance | None], Block]
"""Begins to read a block: of this topic partition and table, with so many records, its bytes
decompressed, and which records are wanted; None: all."""


class PatternBlock:
    """See `OpenBlock` and `Block`."""

    def __init__(
        self, where: TopicPartition, table: str, count: int, payload: bytes, wanted: Glance | None
    ) -> None:
        self.at, self.left = 0, count
        self._where, self._table, self._payload, self._wanted = where, table, payload, wanted
        self._head, self._middle = _matches(where, table)
        self._headers: tuple[Headers, bytes] = (), b"\x00"

    def passed(self, at: int, /) -> None:  # noqa: D102  # see Block
        self.at, self.left = at, self.left - 1

    def usual(self, most: int, /) -> list[ChangeRecord]:  # noqa: D102, C901  # see Block; one loop
        data, wanted, table = self._payload, self._wanted, self._table
        head_at, middle_at = self._head, self._middle
        first, rest, short, make = _FIRST, _rest, _SHORT, tuple.__new__
        headers, known = self._headers
        found: list[ChangeRecord] = []
        while self.left and len(found) < most:
            head = head_at(data, self.at)
            if head is None:
                break
            at = head.end()
            if not data.startswith(known, at):
                new = _headers(data, at)
                if new is None:
                    break
                headers, known = self._headers = new
            at += len(known)
            length = short.get(data[at : at + 2])
            if length is not None:
                at += 2
                key: bytes | None = data[at : at + length]
                at += length
            else:
                size = _size(data, at)
                if size is None:
                    break
                at, long = size.end(), size[1]
                key = None if long is None else data[at : at + first[long]]
                at += 0 if key is None else len(key)
            middle = middle_at(data, at)
            if middle is None:
                break
            op = _OP[middle[1]]
            if wanted is not None and not wanted(op, key, headers):
                end = _end(data, middle.end())
                if end is None:
                    break
                self.left, self.at = self.left - 1, end
                continue
            parts = _parts(data, middle.end())
            if parts is None:
                break
            self.left, self.at = self.left - 1, parts.pop()
            offset, offset_rest, stamp, stamp_rest, kind = head.groups()
            _, time, time_rest, hour_source = middle.groups()
            record = (
                *self._where,
                first[offset] + rest[offset_rest],
                first[stamp] + rest[stamp_rest],
                _TIMESTAMP_TYPE[kind],
                headers,
                key,
                op,
                None if time is None else first[time] + rest[time_rest],
                _HOUR_SOURCE[hour_source],
                table,
                *parts,
            )
            found.append(make(ChangeRecord, record))
        return found


@lru_cache(maxsize=64)
def _matches(where: TopicPartition, table: str) -> tuple[_Match, _Match]:
    """How records begin, and how they go on after their key."""
    begin, name = re.escape(avro.position(where)), re.escape(avro.sized(table.encode()))
    head, middle = (re.compile(one, re.DOTALL).match for one in (begin + _HEAD, _MIDDLE + name))
    return head, middle


def _parts(data: bytes, at: int) -> list[Any] | None:
    """before, after, source, transaction, envelope; and where they end. None if they are not of the
    usual form.
    """
    parts: list[Any] = []
    try:
        for _ in _PARTS:
            tag = data[at]
            if not tag:
                at += 1
                parts.append(None)
                continue
            low = data[at + 1]
            if tag != 2 or low & 1:  # noqa: PLR2004  # neither null nor a length
                return None
            at += 2
            if low >= _MORE:
                if data[at] >= _MORE:
                    return None
                low += (data[at] << 7) - _MORE
                at += 1
            end = at + (low >> 1)
            parts.append(data[at:end])
            at = end
    except IndexError:  # it ends early
        return None
    parts.append(at)
    return parts if at <= len(data) else None


def _end(data: bytes, at: int) -> int | None:
    """Where `_parts` end, without taking them out."""
    try:
        for _ in _PARTS:
            tag = data[at]
            if not tag:
                at += 1
                continue
            low = data[at + 1]
            if tag != 2 or low & 1:  # noqa: PLR2004  # neither null nor a length
                return None
            if low < _MORE:
                at += 2 + (low >> 1)
                continue
            high = data[at + 2]
            if high >= _MORE:
                return None
            at += 3 + (((high << 7) + low - _MORE) >> 1)
    except IndexError:  # it ends early
        return None
    return at if at <= len(data) else None


def _headers(data: bytes, at: int) -> tuple[Headers, bytes] | None:
    """The headers that stand at a place, and their bytes; None if they cannot be read."""
    stream = io.BytesIO(data)
    stream.seek(at)
    try:
        found: Any = fastavro.schemaless_reader(stream, _HEADERS)
    except Exception:  # noqa: BLE001  # whatever it makes of damaged bytes
        return None
    return pairs(found), data[at : stream.tell()]


def pairs(headers: list[dict[str, Any]]) -> Headers:
    """Headers as the general decoder gives them, as ours."""
    return tuple((header["name"], header["value"]) for header in headers)
