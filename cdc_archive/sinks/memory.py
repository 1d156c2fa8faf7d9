"""Keeps events in a list."""

from __future__ import annotations

from cdc_archive.decode.images import Row, parsed
from cdc_archive.sinks.sink import Line


class MemorySink:
    """See the port.

    Attributes:
        events: the events.
        evidence: what proves them, in the same order.
    """

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.evidence: list[Row] = []

    def write(self, line: Line) -> None:
        """See the port."""
        self.events.append(parsed(line.event))
        self.evidence.append(parsed(line.evidence))

    def close(self) -> None:
        """Nothing to do."""

    def abort(self) -> None:
        """Forget everything."""
        self.events.clear()
        self.evidence.clear()
