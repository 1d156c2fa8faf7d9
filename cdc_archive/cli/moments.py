"""Times on the command line: ISO 8601, UTC unless they say otherwise, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import click


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
