"""An archived record as a JSON value for people and scripts to look at.

Keys, headers and images are shown as JSON where they are JSON, else as text, else as base64 in an
object `{"base64": ...}`. JSON is shown as it is but for white space: numbers are not converted, and
repeated names and escapes stay. A lone surrogate, which UTF-8 cannot hold, makes it text.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import msgspec

from cdc_archive.archive.reader.quarantine import Held
from cdc_archive.changelog import header_names
from cdc_archive.changelog.record import ArchivedRecord, Headers
from cdc_archive.source.message import CREATE_TIME, LOG_APPEND_TIME

_TIMES = {CREATE_TIME: "create", LOG_APPEND_TIME: "log_append"}


def view(archived: ArchivedRecord) -> dict[str, Any]:
    """The record with its provenance; members that the message lacks are left out."""
    record = archived.record
    shown: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestamp_type": _TIMES.get(record.timestamp_type, "none"),
        "op": record.op,
        "event_time_us": record.event_time_us,
        "hour_source": record.hour_source,
        "table": record.table,
        "headers": _headers_view(record.headers),
        "key": value_view(record.key),
    }
    for name in ("before", "after", "source", "transaction"):
        part = getattr(record, name)
        if part is not None:
            shown[name] = value_view(part)
    if record.envelope is not None:
        shown["envelope"] = value_view(record.envelope)
    return shown | {
        "file": archived.file,
        "commit": archived.sequence,
        "incarnation": archived.incarnation,
    }


@lru_cache(maxsize=8)
def _headers_view(headers: Headers) -> list[list[Any]]:
    """A connector sends the same with each message."""
    return [[name, value_view(value)] for name, value in headers]


def quarantine_view(held: Held) -> dict[str, Any]:
    """A quarantined message with the reason and where it lies."""
    message = held.message
    return {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
        "timestamp_type": _TIMES.get(message.timestamp_type, "none"),
        "reason": held.reason,
        "detail": held.detail,
        "headers": [[_shown(name), value_view(value)] for name, value in message.headers],
        "key": value_view(message.key),
        "value": value_view(message.value),
        "file": held.file,
        "commit": held.sequence,
        "incarnation": held.incarnation,
        "recovered_by": held.recovered_by,
    }


def _shown(name: str) -> str:
    return header_names.as_text(header_names.to_bytes(name))


def value_view(data: bytes | None) -> Any:
    """JSON (as `msgspec.Raw`), text or base64, whichever fits first; None stays None."""
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    try:
        return msgspec.Raw(msgspec.json.format(data, indent=-1))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return text
