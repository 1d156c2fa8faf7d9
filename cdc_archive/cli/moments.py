"""Times on the command line: ISO 8601, UTC unless they say otherwise, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Moment(click.ParamType[datetime]):
    """A time with its zone."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no time such as 2026-02-19, 2026-02-19T16:30 (UTC) or "
                "2026-02-19T17:30:00.123456+01:00",
                param,
                ctx,
            )
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


MOMENT: Final = _Moment()
"""2026-02-19, 2026-02-19T16:30:00, 2026-02-19T16:30:00.123456Z, 2026-02-19T17:30+01:00, ..."""


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
