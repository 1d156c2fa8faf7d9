"""Keeps events in a list."""

from __future__ import annotations

from cdc_archive.audit.build import AuditEvent


class MemorySink:
    """See the port."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def write(self, event: AuditEvent) -> None:
        """See the port."""
        self.events.append(event)

    def close(self) -> None:
        """Nothing to do."""

    def abort(self) -> None:
        """Forget everything."""
        self.events.clear()
