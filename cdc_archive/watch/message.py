"""Values: an alert as it stands, and a message about a group of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from cdc_archive.watch.condition import Severity

Status = Literal["firing", "resolved"]
Identity = tuple[str, str, str]
"""Kind, type, service."""


class Alert(NamedTuple):
    """A condition since it began.

    `latest` is the newest count, `highest` the highest since `started_us`. `resolved_us`: when it
    was first found absent, None while it fires. `times`: how often it began since `first_us`, for
    what came back before everybody knew that it was over. Times are epoch microseconds.
    """

    kind: str
    type: str
    service: str
    severity: Severity
    summary: str
    examples: tuple[str, ...]
    latest: int
    highest: int
    started_us: int
    resolved_us: int | None
    first_us: int
    times: int

    @property
    def identity(self) -> Identity:
        """What stays the same while all else changes."""
        return self.kind, self.type, self.service

    @property
    def status(self) -> Status:
        """As Alertmanager calls it."""
        return "firing" if self.resolved_us is None else "resolved"

    @property
    def gravity(self) -> int:
        """How bad it is: a resolved one least."""
        return 0 if self.resolved_us is not None else {"warning": 1, "critical": 2}[self.severity]


class Message(NamedTuple):
    """What a receiver is to know of a group now.

    `number`: how many this receiver has taken of the group already. `group`: the service, "" for
    alerts that are about none. `alerts`: the gravest, then news, then what goes on; `truncated`:
    how many more of the group there are.
    """

    receiver: str
    group: str
    number: int
    alerts: tuple[Alert, ...]
    truncated: int

    @property
    def status(self) -> Status:
        """Of the whole group: its gravest alert stands first."""
        return self.alerts[0].status
