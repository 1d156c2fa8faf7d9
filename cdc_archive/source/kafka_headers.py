"""Header names that are not UTF-8, for kafka-python: it takes their whole batch for corrupt.

It would ask for that batch for ever, and one such message would stop its topic partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch

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

    def _read_msg(self, *arguments: Any) -> Any:
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:  # nothing of the message was taken yet
            self._buffer: Any = _Lenient(self._buffer)
            return super()._read_msg(*arguments)


def plain(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """The headers of a record with names that are nothing but text."""
    return tuple((str(name), value) for name, value in headers)


def accept_any_name() -> None:
    """From now on such a name comes as text with surrogate escapes."""
    memory_records.DefaultRecordBatch = _Batch
