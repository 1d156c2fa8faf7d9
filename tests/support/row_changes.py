"""Row changes with a position in their source."""

from __future__ import annotations

import json
from typing import Any

from cdc_archive.source.message import Message
from support.build import message


def row_change(
    offset: int, op: str, before: Any, after: Any, key: Any = 1, **headers: Any
) -> Message:
    """A change with a source position that rises with its offset."""
    value = {
        "before": before,
        "after": after,
        "source": {
            "name": "pg",
            "ts_ms": 1_771_516_800_000 + offset,
            "db": "lab",
            "schema": "app",
            "table": "t",
            "lsn": offset,
            "sequence": json.dumps([str(offset), str(offset)]),
        },
        "transaction": None,
        "op": op,
    }
    return message(
        None if op == "tombstone" else json.dumps(value).encode(),
        offset=offset,
        key=json.dumps({"id": key}).encode(),
        headers=tuple(
            (f"__debezium.{name}", json.dumps({"id": to}).encode()) for name, to in headers.items()
        ),
    )
