"""Messages out of the records of a batch, magic 2: one loop, in which nothing is made twice.

The format: https://kafka.apache.org/documentation/#recordbatch. What is read, and what is refused
as corrupt, is what kafka-python itself makes of the same bytes, but that a header's name may be
any bytes: there it takes the whole batch for corrupt, and would ask for it for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

from cdc_archive.changelog.record import Headers
from cdc_archive.source.message import CREATE_TIME, LOG_APPEND_TIME, Message, message_of

_KNOWN: Final = 500
_KNOWN_BYTES: Final = 1_024


class KnownHeaders(dict[bytes, Headers]):
    """Headers by the bytes they stand in; a connector sends the same ones again and again.

    What is looked up and not yet known is read, and kept unless it is large.
    """

    def __missing__(self, raw: bytes) -> Headers:
        headers = headers_of(raw)
        if len(raw) <= _KNOWN_BYTES:
            if len(self) >= _KNOWN:
                self.clear()
            self[raw] = headers
        return headers


def headers_of(raw: bytes) -> Headers:
    """The headers of a record; names that are not UTF-8 come with surrogate escapes.

    Raises:
        CorruptRecordError, ValueError, IndexError: these are no headers.
    """
    count, pos = decode_varint(raw, 0)
    headers = []
    for _ in range(count):
        size, pos = decode_varint(raw, pos)
        name, pos = raw[pos : pos + size].decode("utf-8", "surrogateescape"), pos + size
        if size < 0:
            raise CorruptRecordError(f"a header's name of {size} bytes")
        size, pos = decode_varint(raw, pos)
        value = None
        if size >= 0:
            value, pos = raw[pos : pos + size], pos + size
        headers.append((name, value))
    if count < 0 or pos != len(raw):
        raise CorruptRecordError(f"{count} headers that end at byte {pos} of {len(raw)}")
    return tuple(headers)


class Common(NamedTuple):
    """What the records of a batch have in common. `stamped` is their broker's time, if it is it."""

    topic: str
    partition: int
    base_offset: int
    first_timestamp: int
    stamped: int | None


class RecordBatch:
    """The records of one batch, read some at a time.

    Args:
        data: where they stand, not compressed, from `pos` to `end`.
        count: how many there are.
    """

    def __init__(
        self, common: Common, data: bytes, pos: int, end: int, count: int, known: KnownHeaders
    ) -> None:
        self._common = common
        self._data, self._pos, self._end = data, pos, end
        self._left = count
        self._known = known

    def read(self, into: list[Message], most: int) -> bool:
        """Append the next messages, `most` or fewer; whether there are more.

        Raises:
            CorruptRecordError: what comes next is no record. Those before it were appended.
        """
        count = min(most, self._left)
        try:
            self._pos = self._read(into.append, count)
        except (ValueError, IndexError) as error:
            raise CorruptRecordError(f"Found invalid record structure: {error!r}") from None
        self._left -= max(0, count)
        if self._left > 0:
            return True
        if self._pos != self._end:
            raise CorruptRecordError(f"{self._end - self._pos} bytes after all records")
        return False

    def _read(self, add: Callable[[Message], None], count: int) -> int:  # noqa: C901, PLR0912, PLR0915  # see there
        """Where the records after the next `count` begin.

        One loop without calls, for a call costs more than what is done in it. A number of one byte
        or two is read here, if it is not negative (the lowest bit tells); any other by the library.
        """
        data, pos, end, known = self._data, self._pos, self._end, self._known
        topic, partition, base, first, stamped = self._common
        kind = CREATE_TIME if stamped is None else LOG_APPEND_TIME
        last: bytes = b""
        headers: Headers = ()
        for _ in range(count):
            size = data[pos]
            if not size & 0x81:
                size >>= 1
                pos += 1
            elif size & 1 or data[pos + 1] & 0x80:
                size, pos = decode_varint(data, pos)
            else:
                size = size >> 1 & 0x3F | data[pos + 1] << 6
                pos += 2
            stop = pos + size
            if data[pos] & 0x80:  # the attributes
                _, pos = decode_varint(data, pos)
            else:
                pos += 1
            at = data[pos]
            if not at & 0x81:
                at >>= 1
                pos += 1
            elif at & 1 or data[pos + 1] & 0x80:
                at, pos = decode_varint(data, pos)
            else:
                at = at >> 1 & 0x3F | data[pos + 1] << 6
                pos += 2
            offset = data[pos]
            if not offset & 0x81:
                offset >>= 1
                pos += 1
            elif offset & 1 or data[pos + 1] & 0x80:
                offset, pos = decode_varint(data, pos)
            else:
                offset = offset >> 1 & 0x3F | data[pos + 1] << 6
                pos += 2
            size = data[pos]
            if size & 0x81:
                size, pos = decode_varint(data, pos)
            else:
                size >>= 1
                pos += 1
            key = None
            if size >= 0:
                key = data[pos : pos + size]
                pos += size
            size = data[pos]
            if not size & 0x81:
                size >>= 1
                pos += 1
            elif size & 1 or data[pos + 1] & 0x80:
                size, pos = decode_varint(data, pos)
            else:
                size = size >> 1 & 0x3F | data[pos + 1] << 6
                pos += 2
            value = None
            if size >= 0:
                value = data[pos : pos + size]
                pos += size
            if not pos < stop <= end:
                raise CorruptRecordError("Invalid record size")
            raw = data[pos:stop]
            if raw != last:
                last, headers = raw, known[raw]
            pos = stop
            at = first + at if stamped is None else stamped
            add(message_of((topic, partition, base + offset, at, kind, key, value, headers)))
        return pos
