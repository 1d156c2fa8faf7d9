"""Steps of rows, and the messages beside them, without a log."""

from __future__ import annotations

import base64
import json
from typing import Any

from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.history.position import Change, Place, position
from cdc_archive.history.transition import (
    EXACT,
    NOT_APPLICABLE,
    UNKNOWN,
    Proof,
    Transition,
    changed_columns,
)
from cdc_archive.source.message import Message
from support.build import HOUR_16_MS, message

_OPS = {"create": "c", "update": "u", "delete": "d"}
PLACE = Place(0, 0, 0, 0, 0, 0)
_decode = Decoder().decode


def archived(sent: Message) -> ArchivedRecord:
    """The record of a message, as the archive gives it back."""
    decoded = _decode(sent)
    return ArchivedRecord(decoded.record, "file", 0, decoded.value_schema)


def row_message(
    op: str, before: Any, after: Any, table: str = "t", tx: int | None = 7, **fields: Any
) -> Message:
    """A message about a row, out of transaction `tx`."""
    row = after if after is not None else before
    key = json.dumps({"id": (row or {}).get("id")}).encode()
    value = _envelope(op, tx, table) | {"before": before, "after": after}
    topic = f"pg.app.{table}"
    return message(json.dumps(value).encode(), **({"topic": topic, "key": key} | fields))


def logical_message(
    prefix: str, content: Any, tx: int | None = 7, *, raw: Any = None, **fields: Any
) -> Message:
    """A logical decoding message; its content is JSON in base64, or `raw`."""
    data = base64.b64encode(json.dumps(content).encode()).decode() if raw is None else raw
    value = _envelope("m", tx, "") | {"message": {"prefix": prefix, "content": data}}
    key = json.dumps({"prefix": prefix}).encode()
    defaults = {"topic": "pg.message", "key": key}
    return message(json.dumps(value).encode(), **(defaults | fields))


def _envelope(op: str, tx: int | None, table: str) -> dict[str, Any]:
    return {
        "op": op,
        "ts_ms": HOUR_16_MS,
        "source": {
            "name": "pg",
            "ts_ms": HOUR_16_MS,
            "db": "lab",
            "schema": "app" if table else "",
            "table": table,
            "txId": tx,
            "lsn": 100,
        },
        "transaction": None if tx is None else {"id": f"{tx}:100", "total_order": 1},
    }


def transition(
    op: str, before: Any, after: Any, proof: Proof | None = None, **fields: Any
) -> Transition:
    """A row's step; an update without a version before has `before_proof` unknown."""
    record = archived(row_message(_OPS[op], before, after, **fields))
    usual = NOT_APPLICABLE if op == "create" else UNKNOWN if before is None else EXACT
    return Transition(
        op,
        record.record.table,
        (record.record.key or b"").decode(),
        before,
        after,
        proof or usual,
        changed_columns(before, after) if op == "update" else None,
        frozenset(),
        Change(record, position(record.record), PLACE),
    )
