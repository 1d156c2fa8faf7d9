"""The port to where regenerated audit events go."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Line(NamedTuple):
    """An event, and the evidence for it: JSON text."""

    event: bytes
    evidence: bytes


class Sink(Protocol):
    """Takes events one after the other; nothing is visible before `close`, where it can be so."""

    def write(self, line: Line) -> None:
        """Take one event."""
        ...

    def close(self) -> None:
        """Make what was written durable and visible."""
        ...

    def abort(self) -> None:
        """The run failed: leave nothing that looks like a result."""
        ...
