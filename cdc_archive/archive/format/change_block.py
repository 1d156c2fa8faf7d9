"""The change records of a block of a data file, most of them read without an Avro library.

A record of the usual form (whole numbers, an op of one letter, no part above 8 KiB) is taken apart
by three patterns and slices, which costs half of what a general decoder does, and a third if it is
not wanted. Any other, damage too, is left to the general decoder: tests hold the two side by side.
Source: Apache Avro 1.12 specification, "Binary Encoding"; the fields are change_record.avsc's.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import fastavro

from cdc_archive.archive.format import avro
from cdc_archive.archive.format.container import reading_schema
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord, Headers

Glance = Callable[[str, bytes | None, Headers], bool]
"""Whether a record is wanted, by its op, key and headers. One that is not is never built."""

_MORE: Final = 0x80
"""From here on a byte is followed by more of the same number."""
_PARTS: Final = range(5)
"""before, after, source, transaction, envelope."""


def _bytes(numbers: range) -> bytes:
    return b"".join(b"\\x%02x" % number for number in numbers)


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
_MIDDLE: Final = (
    rb"\x02([a-z])(?:\x00|\x02%b)(\x0csource|\x10envelope|\x0akafka|\x08none)" % _NUMBER
)
"""op, event_time_us, hour_source"""

_FIRST: Final = {avro.long(number): number for number in range(1 << 6)} | {
    bytes((low, high)): ((low & 0x7F) + ((high & 0x7F) << 7)) >> 1
    for low in range(128, 256, 2)
    for high in range(256)
}
_SHORT: Final = {b"\x02" + avro.long(length): length for length in range(1 << 6)}
"""The length of a part that is there, by its first two bytes."""
_LETTER: Final = {bytes((code,)): chr(code) for code in range(ord("a"), ord("z") + 1)}
_HOUR_SOURCE: Final = {
    avro.sized(word.encode()): word for word in ("source", "envelope", "kafka", "none")
}
_TIMESTAMP_TYPE: Final = {avro.long(index): index - 1 for index in range(3)}


_NO_HEADERS: Final[tuple[Headers, bytes]] = ((), b"\x00")


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


def records(
    metadata: Mapping[str, bytes], count: int, payload: bytes, wanted: Glance | None = None
) -> Iterator[ChangeRecord]:
    """The records of a block, or those that are wanted.

    Args:
        metadata: of its file: what its records have in common.
        count: how many records it holds.
        payload: its bytes, decompressed.
        wanted: tells which are; None: all.

    Raises:
        Exception: whatever the general decoder makes of damaged bytes.
    """
    if count > len(payload):
        raise ValueError("it promises more records than it has bytes")
    block = _Block(count, payload, wanted)
    common = _common(metadata)
    while block.left:
        if common is not None:
            yield from block.usual(common)
        if block.left:
            yield from block.next_one()
    if block.at != len(payload):
        raise ValueError(f"it holds more than its {count} records")


class _Common(NamedTuple):
    """What the records of a file have in common, and how those of the usual form begin and go on
    after their key.
    """

    partition: TopicPartition
    table: str
    head: _Match
    middle: _Match


_Match = Callable[[bytes, int], re.Match[bytes] | None]


def _common(metadata: Mapping[str, bytes]) -> _Common | None:
    """None if a file does not tell."""
    try:
        topic, folder = metadata["cdc.topic"].decode(), metadata["cdc.folder"].decode()
        return _patterns(TopicPartition(topic, int(metadata["cdc.partition"])), folder)
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=64)
def _patterns(partition: TopicPartition, table: str) -> _Common:
    begin, name = re.escape(avro.position(partition)), re.escape(avro.sized(table.encode()))
    head, middle = (re.compile(one, re.DOTALL).match for one in (begin + _HEAD, _MIDDLE + name))
    return _Common(partition, table, head, middle)


class _Block:
    """A block while it is read: what is left of it, and where."""

    def __init__(self, count: int, payload: bytes, wanted: Glance | None) -> None:
        self.left = count
        self.at = 0
        self._payload = payload
        self._wanted = wanted

    def next_one(self) -> Iterator[ChangeRecord]:
        """The next record by the general decoder, if it is wanted."""
        stream = io.BytesIO(self._payload)
        stream.seek(self.at)
        found: Any = fastavro.schemaless_reader(stream, reading_schema("change_record.avsc"))
        self.left, self.at = self.left - 1, stream.tell()
        one = ChangeRecord._make(message_fields(found).values())
        if self._wanted is None or self._wanted(one.op, one.key, one.headers):
            yield one

    def usual(self, common: _Common) -> Iterator[ChangeRecord]:
        """The wanted records up to one that is not of the usual form."""
        data, wanted = self._payload, self._wanted
        partition, table, head_at, middle_at = common
        first, rest, short, make = _FIRST, _rest, _SHORT, tuple.__new__
        headers, known = _NO_HEADERS
        while self.left:
            head = head_at(data, self.at)
            if head is None:
                return
            at = head.end()
            if not data.startswith(known, at):
                headers, known = _headers(data, at)
            at += len(known)
            length = short.get(data[at : at + 2])
            if length is not None:
                at += 2
                key: bytes | None = data[at : at + length]
                at += length
            else:
                size = _size(data, at)
                if size is None:
                    return
                at, long = size.end(), size[1]
                key = None if long is None else data[at : at + first[long]]
                at += 0 if key is None else len(key)
            middle = middle_at(data, at)
            if middle is None:
                return
            op = _LETTER[middle[1]]
            if wanted is not None and not wanted(op, key, headers):
                end = _end(data, middle.end())
                if end is None:
                    return
                self.left, self.at = self.left - 1, end
                continue
            parts = _parts(data, middle.end())
            if parts is None:
                return
            self.left, self.at = self.left - 1, parts.pop()
            offset, offset_rest, stamp, stamp_rest, kind = head.groups()
            _, time, time_rest, hour_source = middle.groups()
            yield make(
                ChangeRecord,
                (
                    *partition,
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
                ),
            )


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


def _headers(data: bytes, at: int) -> tuple[Headers, bytes]:
    """The headers that stand at a place, and their bytes."""
    stream = io.BytesIO(data)
    stream.seek(at)
    field = next(
        one for one in reading_schema("change_record.avsc")["fields"] if one["name"] == "headers"
    )
    found: Any = fastavro.schemaless_reader(stream, field["type"])
    return _pairs(found), data[at : stream.tell()]


def message_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message, as the general decoder gives them, as ours."""
    fields["headers"] = _pairs(fields["headers"])
    fields["timestamp_type"] -= 1
    return fields


def _pairs(headers: list[dict[str, Any]]) -> Headers:
    return tuple((header["name"], header["value"]) for header in headers)
