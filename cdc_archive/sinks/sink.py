"""The port to where regenerated audit events go."""

from __future__ import annotations

from typing import Protocol

from cdc_archive.audit.build import AuditEvent


class Sink(Protocol):
    """Takes events one after the other; nothing is visible before `close`, where it can be so."""

    def write(self, event: AuditEvent) -> None:
        """Take one event."""
        ...

    def close(self) -> None:
        """Make what was written durable and visible."""
        ...

    def abort(self) -> None:
        """The run failed: leave nothing that looks like a result."""
        ...
