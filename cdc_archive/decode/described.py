"""What a message says of itself beside its rows: table and time. Pure look-ups with fallbacks."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from cdc_archive.changelog.hour import (
    ENVELOPE_TIME,
    KAFKA_TIME,
    NO_TIME,
    SOURCE_TIME,
    plausible,
)
from cdc_archive.changelog.record import JsonText
from cdc_archive.decode.json_text import scalar
from cdc_archive.errors import Undecodable


class EventTime(NamedTuple):
    """Time of a change in microseconds (None if untold) and where it was found."""

    us: int | None
    found_in: str


class SourceBlock(msgspec.Struct, frozen=True, gc=False):
    """The members of `source` that place a record; all optional, others ignored."""

    ts_ms: int | None = None
    ts_us: int | None = None
    db: str | None = None
    schema: str | None = None
    table: str | None = None
    collection: str | None = None


NO_SOURCE: Final = SourceBlock()
quick_source: Final = msgspec.json.Decoder(SourceBlock).decode
"""Raises `msgspec.DecodeError`, `ValueError` or `RecursionError` for what is not quite as usual."""
_FIELDS: Final = SourceBlock.__struct_fields__


def source_block(source: JsonText | None) -> SourceBlock:
    """Read `source`; a member of an unexpected type counts as missing."""
    if source is None or source == b"null":
        return NO_SOURCE
    try:
        return quick_source(source)
    except (msgspec.DecodeError, ValueError, RecursionError):
        loose = scalar(source)
    if not isinstance(loose, dict):
        return NO_SOURCE
    numbers = {name: integer(loose.get(name)) for name in ("ts_ms", "ts_us")}
    names = {name: text(loose.get(name)) for name in _FIELDS if name not in numbers}
    return SourceBlock(**numbers, **names)  # type: ignore[arg-type]


MAX_TABLE_BYTES: Final = 2048
"""The longest name of a table; no database lets one part of it have more than 255 characters."""


@lru_cache(maxsize=4096)
def table_name(db: str | None, schema: str | None, table: str | None, topic: str) -> str:
    """`db.schema.table` without what is missing; the topic if no table is named."""
    if not table:
        return topic
    name = ".".join(part for part in (db, schema, table) if part).encode(
        "utf-8", "backslashreplace"
    )
    if len(name) > MAX_TABLE_BYTES:
        raise Undecodable("name_too_long", f"a table's name of {len(name):,} bytes")
    return name.decode()


def event_time(
    source_ms: int | None, source_us: int | None, envelope_ms: int | None, kafka_ms: int
) -> EventTime:
    """The first plausible of: time in the database, at the connector, in Kafka.

    Args:
        source_ms: `source.ts_ms`; `source_us` refines it if both name the same millisecond.
        source_us: `source.ts_us`.
        envelope_ms: the envelope's `ts_ms`.
        kafka_ms: the Kafka timestamp, negative if there is none.
    """
    agrees = source_us is not None and (source_ms is None or source_us // 1000 == source_ms)
    if source_us is not None and agrees and plausible(source_us):
        return EventTime(source_us, SOURCE_TIME)
    for ms, found_in in (
        (source_ms, SOURCE_TIME),
        (envelope_ms, ENVELOPE_TIME),
        (kafka_ms, KAFKA_TIME),
    ):
        if ms is not None and plausible(ms * 1000):
            return EventTime(ms * 1000, found_in)
    return EventTime(None, NO_TIME)


def integer(value: object) -> int | None:
    """The value if it is an integer, else None (True is no integer)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: object) -> str | None:
    """The value if it is a string, else None."""
    return value if isinstance(value, str) else None
