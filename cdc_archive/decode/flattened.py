"""Rows flattened by Debezium's ExtractNewRecordState: the row itself, with `__` fields added.

A flattened row looks like any JSON object. It is recognised by what the transformation or Debezium
leaves on it (`__op`, `__deleted`, ... fields or headers, `__debezium.*` headers), or because the
settings say that its topic is flattened.
Source: Debezium's documentation, "New Record State Extraction" (add.fields, add.headers, rewrite).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cdc_archive.changelog.record import OP_UNKNOWN_ROW, ROW_OPS, Headers
from cdc_archive.decode.described import EventTime, event_time, integer, table_name, text

_MARK_FIELDS: Final = ("__deleted", "__op", "__table", "__lsn", "__source_ts_ms", "__ts_ms", "__db")
_MARK_HEADERS: Final = ("__op", "__deleted", "__table")
_MILLISECONDS: Final = re.compile(r"[0-9]{1,18}")


def is_marked(row: Mapping[str, object], headers: Headers) -> bool:
    """Whether the message bears a mark of Debezium."""
    if any(name in row for name in _MARK_FIELDS):
        return True
    return any(name in _MARK_HEADERS or name.startswith("__debezium.") for name, _ in headers)


def operation(row: Mapping[str, object], headers: Headers) -> str:
    """c, u, d or r if the message tells it, else `row`; a row marked `__deleted` is a `d`."""
    if text(row.get("__deleted")) == "true" or row.get("__deleted") is True:
        return "d"
    told = text(row.get("__op")) or _header(headers, "__op")
    return told if told in ROW_OPS else OP_UNKNOWN_ROW


def table(row: Mapping[str, object], headers: Headers, topic: str) -> str:
    """The table as far as added fields or headers name it, else the topic."""
    db, schema, name = (
        text(row.get(field)) or _header(headers, field) for field in ("__db", "__schema", "__table")
    )
    return table_name(db, schema, name, topic)


def time(row: Mapping[str, object], headers: Headers, kafka_ms: int) -> EventTime:
    """The time of the change as far as added fields tell it, else Kafka's."""
    source_ms, ts_ms = (integer(row.get(field)) for field in ("__source_ts_ms", "__ts_ms"))
    header_ms = _header(headers, "__source_ts_ms")
    if source_ms is None and header_ms is not None and _MILLISECONDS.fullmatch(header_ms):
        source_ms = int(header_ms)
    return event_time(source_ms, None, ts_ms, kafka_ms)


def _header(headers: Headers, name: str) -> str | None:
    for header, value in headers:
        if header == name and value is not None:
            return value.decode("utf-8", "replace").strip('"')
    return None
