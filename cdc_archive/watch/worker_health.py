"""Whether the workers say that they are well: their /healthz."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cdc_archive.errors import CdcArchiveError
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.page import Answer, Page
from cdc_archive.watch.spans import span

_WELL: Final = 200
_EXAMPLES: Final = 5
_SHOWN: Final = 200


class _Seen(NamedTuple):
    """When it was well last (us), and what was wrong with it since."""

    well_us: int
    wrong: str


class WorkerHealth:
    """One worker, looked at.

    Args:
        page: its /healthz.
        now_us: the clock.
    """

    def __init__(self, page: Page, now_us: Callable[[], int]) -> None:
        self.shown = page.shown
        self._page = page
        self._now_us = now_us
        self._seen = _Seen(now_us(), "not asked yet")

    def look(self) -> None:
        """Ask it."""
        try:
            answer = self._page.get()
        except CdcArchiveError as error:
            self._seen = self._seen._replace(wrong=str(error))
            return
        if answer.status == _WELL:
            self._seen = _Seen(self._now_us(), "it does not answer any more")
        else:
            self._seen = self._seen._replace(wrong=f"HTTP {answer.status}{_reasons(answer)}")

    def unwell(self, now_us: int) -> tuple[int, str]:
        """For how long it was not well (us), and why."""
        seen = self._seen
        return now_us - seen.well_us, seen.wrong


class Workers:
    """All workers that are looked at.

    Args:
        workers: them.
        silent_us: how long one may be unwell before that is an alarm; also after a start.
    """

    def __init__(self, workers: Sequence[WorkerHealth], silent_us: int) -> None:
        self.looks = [one.look for one in workers]
        self._workers = workers
        self._silent_us = silent_us

    def conditions(self, now_us: int) -> list[Condition]:
        """Kind `worker`, critical: those that are unwell for too long."""
        unwell = [(*one.unwell(now_us), one.shown) for one in self._workers]
        unwell = [one for one in unwell if one[0] > self._silent_us]
        if not unwell:
            return []
        longest_us, wrong, shown = max(unwell)
        summary = (
            f"{len(unwell)} of {len(self._workers)} workers are not well, {shown} for "
            f"{span(longest_us)}: {wrong}"
        )
        examples = tuple(f"{shown}: {wrong}" for _, wrong, shown in unwell[:_EXAMPLES])
        return [Condition("worker", "", "", "critical", summary, len(unwell), examples)]


def _reasons(answer: Answer) -> str:
    """What /healthz says is wrong."""
    try:
        wrong = json.loads(answer.body)["wrong"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {'; '.join(map(str, wrong))}"[:_SHOWN] if isinstance(wrong, list) else ""
