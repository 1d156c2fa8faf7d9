"""The UTC hour that a record belongs to: a function of the record alone, never of a clock.

An hour is half open: [hh:00:00.000000, next hour). There is no time zone setting.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

US_PER_HOUR: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_US: Final = 946_684_800_000_000
"""2000-01-01: an event time before it is a missing or broken one (0, -1, seconds for ms)."""
LATEST_US: Final = 7_258_118_400_000_000
"""2200-01-01: an event time from here on is a broken one (ns for ms)."""

SOURCE_TIME: Final = "source"
"""`hour_source`: `source.ts_us` or `source.ts_ms`, the time of the change in the database."""
ENVELOPE_TIME: Final = "envelope"
"""`hour_source`: the envelope's own `ts_ms`, the time at the connector."""
KAFKA_TIME: Final = "kafka"
"""`hour_source`: the Kafka message's timestamp."""
NO_TIME: Final = "none"
"""`hour_source`: nothing in the message tells a time."""


def plausible(event_time_us: int) -> bool:
    """Whether a time, in microseconds, can be that of a change: never 1970, never far ahead."""
    return EARLIEST_US <= event_time_us < LATEST_US


class Hour(NamedTuple):
    """A UTC hour as it stands in a path: date `2026-02-19`, hour `16`; both `unknown` if untold."""

    date: str
    hour: str

    def __str__(self) -> str:
        return f"{self.date}T{self.hour}"

    def start_us(self) -> int | None:
        """First microsecond of the hour, None for the unknown one."""
        if self.date == "unknown":
            return None
        start = datetime.strptime(f"{self.date} {self.hour}", "%Y-%m-%d %H").replace(tzinfo=UTC)
        return (start - _EPOCH) // timedelta(microseconds=1)


UNKNOWN_HOUR: Final = Hour("unknown", "unknown")


@lru_cache(maxsize=4096)
def hour_of_index(index: int) -> Hour:
    """The hour that begins `index` hours after 1970."""
    start = _EPOCH + timedelta(hours=index)
    return Hour(start.strftime("%Y-%m-%d"), start.strftime("%H"))


def hour_of(event_time_us: int | None) -> Hour:
    """The hour that holds a time in microseconds since 1970 UTC."""
    return UNKNOWN_HOUR if event_time_us is None else hour_of_index(event_time_us // US_PER_HOUR)
