"""Times and spans of time as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(time_us: int) -> str:
    """`2026-02-19 16:05Z`."""
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%d %H:%MZ}"


def span(length_us: int) -> str:
    """`45 s`, `12 min`, `3.5 h` or `2.1 days`."""
    seconds = length_us / 1e6
    for unit, size, until in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"
