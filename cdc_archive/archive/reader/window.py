"""A window of event time, half open, and which files can hold records of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cdc_archive.archive.format.commit import FileEntry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime | None) -> int | None:
    """Microseconds since 1970 UTC; a moment without a zone is UTC; None stays None."""
    if moment is None:
        return None
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (zoned - _EPOCH) // timedelta(microseconds=1)


class Window(NamedTuple):
    """[start_us, end_us) in microseconds since 1970 UTC; None: open on that side."""

    start_us: int | None = None
    end_us: int | None = None

    def holds(self, event_time_us: int | None) -> bool:
        """Whether a time lies in the window; an untold one lies in the unbounded window only."""
        if event_time_us is None:
            return self.start_us is None and self.end_us is None
        after = self.start_us is None or event_time_us >= self.start_us
        return after and (self.end_us is None or event_time_us < self.end_us)

    def may_hold(self, file: FileEntry) -> bool:
        """Whether a file can hold records of the window."""
        low, high = file.min_event_time_us, file.max_event_time_us
        if low is None or high is None:
            return self.start_us is None and self.end_us is None
        return not (
            (self.end_us is not None and low >= self.end_us)
            or (self.start_us is not None and high < self.start_us)
        )


def widened(window: Window, by_us: int) -> Window:
    """The window with so many microseconds more on both sides."""
    start = None if window.start_us is None else window.start_us - by_us
    return Window(start, None if window.end_us is None else window.end_us + by_us)
