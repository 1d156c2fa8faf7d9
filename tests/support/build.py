"""Builders of messages with sane defaults."""

from __future__ import annotations

import json
from typing import Any

from cdc_archive.source.message import CREATE_TIME, Message

HOUR_16_MS = 1_771_516_800_000
"""2026-02-19T16:00:00Z."""


def message(value: bytes | None = b"{}", **fields: Any) -> Message:
    """A message of topic pg.app.t, partition 0."""
    defaults: dict[str, Any] = {
        "topic": "pg.app.t",
        "partition": 0,
        "offset": 0,
        "timestamp": HOUR_16_MS,
        "timestamp_type": CREATE_TIME,
        "key": b'{"id":1}',
        "headers": (),
    }
    return Message(value=value, **(defaults | fields))


def change(
    op: str = "c", ts_ms: int = HOUR_16_MS, table: str = "t", before: Any = None, after: Any = None
) -> bytes:
    """The value of a row change, as Debezium writes it."""
    envelope = {
        "before": before,
        "after": {"id": 1} if after is None and op in "cur" else after,
        "source": {"name": "pg", "ts_ms": ts_ms, "db": "lab", "schema": "app", "table": table},
        "transaction": None,
        "op": op,
        "ts_ms": ts_ms + 5,
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def changes(count: int, start: int = 0, **fields: Any) -> list[Message]:
    """`count` row changes at consecutive offsets."""
    return [
        message(change(after={"id": offset}), offset=offset, **fields)
        for offset in range(start, start + count)
    ]
