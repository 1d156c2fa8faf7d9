"""Something that is the matter now: what the watch alarms about."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Severity = Literal["critical", "warning"]
CRITICAL: Final = "critical"
WARNING: Final = "warning"


class Condition(NamedTuple):
    """One thing that is the matter now. Its identity is (kind, type, service); all else may change
    from look to look.

    `type`: event type, "" if it is about none; `service`: whose events, "" if about none (the watch
    itself, Kafka, ...). `summary`: one line for a person. `count`: how many (events, changes,
    errors, seconds: the summary says which). `examples`: some places or ids, at most 5.
    """

    kind: str
    type: str
    service: str
    severity: Severity
    summary: str
    count: int = 0  # type: ignore[assignment]  # a tuple has a method of this name
    examples: tuple[str, ...] = ()
