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


def in_transaction(change: Message, transaction: int, total_order: int) -> Message:
    """The change as `provide.transaction.metadata` tells it."""
    value = json.loads(change.value or b"{}")
    value["transaction"] = {"id": f"{transaction}:{change.offset}", "total_order": total_order}
    return change._replace(value=json.dumps(value).encode())


def key_change(at: int, old: Any, new: Any, row: Any, shown: Any = None) -> list[Message]:
    """The three messages of a change of key, in one transaction at one LSN; `row` is after it."""
    delete = row_change(at, "d", {"id": old} if shown is None else shown, None, old, newkey=new)
    create = row_change(at, "c", None, row, new, oldkey=old)
    return [
        in_transaction(delete, at, 1),
        row_change(at, "tombstone", None, None, old, newkey=new),
        in_transaction(create, at, 2),
    ]
