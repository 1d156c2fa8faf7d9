"""The mark of an event that was written afterwards: the id of what proves it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import parsed
from cdc_archive.sinks.sink import Line, Sink

HEADER: Final = "cdc-archive-backfill"
MEMBER: Final = "cdc_archive_backfill"


class _Identified(msgspec.Struct):
    id: str


_identified: Final = msgspec.json.Decoder(_Identified).decode


def evidence_id(line: Line) -> str:
    """The id under which the evidence of an event stands in `--provenance`: the event's own."""
    return _identified(line.evidence).id


class Marking:
    """See the port. Each event gets a member that marks it, for where there are no headers.

    Args:
        sink: where events go.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, line: Line) -> None:
        """See the port."""
        event: dict[str, Any] = parsed(line.event)
        marked = exact_json({**event, MEMBER: evidence_id(line)})
        self._sink.write(line._replace(event=marked))

    def close(self) -> None:
        """See the port."""
        self._sink.close()

    def abort(self) -> None:
        """See the port."""
        self._sink.abort()


def resource(line: Line) -> str | None:
    """What the event is about: the id in its payload."""
    event = parsed(line.event)
    payload = event.get(event["type"])
    found = payload.get("id") if isinstance(payload, dict) else None
    return None if found is None else str(found)
