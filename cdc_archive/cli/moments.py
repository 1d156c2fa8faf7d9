"""Times on the command line: ISO 8601, UTC unless they say otherwise, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import click

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time(value: str) -> datetime:
    """The type of an option: 2026-02-19, 2026-02-19T16:30:00, 2026-02-19T17:30:00.123456+01:00."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time such as 2026-02-19, 2026-02-19T16:30 (UTC) or "
            "2026-02-19T17:30:00.123456+01:00"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def text(time_us: int | None) -> str:
    """A time as `2026-02-19T16:00:00.123456Z`, with no more digits than it needs."""
    if time_us is None:
        return "at an untold time"
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return f"{time_us} microseconds since 1970"
    precision = "microseconds" if time_us % 1000 else "milliseconds"
    if time_us % 1_000_000 == 0:
        precision = "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
