"""Headers as kafka-python reads them: any name, and those that repeat are read once.

It takes the whole batch of a name that is not UTF-8 for corrupt, and would ask for it for ever: one
such message would stop its topic partition. And a connector sends the same headers with each
message of a run, which take as long to read as the rest of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from cdc_archive.changelog.record import Headers


class _Name(str):
    """A name with surrogate escapes: kafka-python encodes it once more to tell its size."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode(encoding, "surrogateescape")


class _Lenient(bytes):
    """Bytes whose text is read with surrogate escapes, and whose slices are such bytes."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _Lenient(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return _Name(super().decode(encoding, "surrogateescape"))


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    """Reads on leniently from the first name that is not UTF-8."""

    _pos: int
    _known: tuple[bytes, list[tuple[str, bytes | None]]] = (b"", [])
    """Headers of the record before, as they stood in the batch and as they were read."""

    def _read_msg(self, *arguments: Any) -> Any:
        record = None if self.is_control_batch else self._with_known_headers()
        if record is not None:
            return record
        start = self._pos
        try:
            record = super()._read_msg(*arguments)
        except UnicodeDecodeError:  # nothing of the message was taken yet
            self._buffer: Any = _Lenient(self._buffer)
            record = super()._read_msg(*arguments)
        self._known = (_raw_headers(self._buffer, start), record.headers)
        return record

    def _with_known_headers(self) -> DefaultRecord | None:
        """The next record, if it has the headers of the one before; else nothing is taken."""
        buffer = self._buffer
        length, start = decode_varint(buffer, self._pos)
        since, pos = decode_varint(buffer, start + 1)  # after the attributes, one byte
        offset, pos = decode_varint(buffer, pos)
        size, pos = decode_varint(buffer, pos)
        key = None
        if size >= 0:
            key, pos = bytes(buffer[pos : pos + size]), pos + size
        size, pos = decode_varint(buffer, pos)
        value = None
        if size >= 0:
            value, pos = bytes(buffer[pos : pos + size]), pos + size
        end = start + length
        raw, headers = self._known
        if not raw or end - pos != len(raw) or buffer[pos:end] != raw:
            return None
        kind = self.timestamp_type
        at = self.max_timestamp if kind == self.LOG_APPEND_TIME else self.first_timestamp + since
        self._pos = end
        return DefaultRecord(length, self.base_offset + offset, at, kind, key, value, headers)


def _raw_headers(buffer: Any, pos: int) -> bytes:
    """The headers of the record at `pos`, which is whole, as they stand there."""
    length, start = decode_varint(buffer, pos)
    _, pos = decode_varint(buffer, start + 1)
    _, pos = decode_varint(buffer, pos)
    for _ in ("key", "value"):
        size, pos = decode_varint(buffer, pos)
        pos += max(0, size)
    return bytes(buffer[pos : start + length])


def plain(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """The headers of a record with names that are nothing but text."""
    return tuple((str(name), value) for name, value in headers)


def accept_any_name() -> None:
    """From now on such a name comes as text with surrogate escapes."""
    memory_records.DefaultRecordBatch = _Batch
