"""An event that the changes prove, and how far in time it lies from a published one."""

from __future__ import annotations

from typing import Final, NamedTuple

from cdc_archive.decode.images import Row
from cdc_archive.reconcile.published import Published

SECOND_US: Final = 1_000_000


class Expected(NamedTuple):
    """An event that the changes prove. `time_us` is the time of the change, exact; `resource` what
    it is about, "" if it names no single one; `service` whose events have it.
    """

    id: str
    type: str
    resource: str
    time_us: int
    event: Row
    evidence: Row
    service: str


def apart(expected: Expected, published: Published) -> int:
    """Microseconds between two events. A time in whole seconds was cut off, not rounded."""
    time_us = expected.time_us
    if published.time_us % SECOND_US == 0:
        time_us -= time_us % SECOND_US
    return abs(time_us - published.time_us)
