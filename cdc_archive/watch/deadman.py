"""The dead-man's switch: an address outside that alarms when it is no longer called.

It is called only after a whole evaluation: a watch that runs and sees nothing is missed too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Literal

import structlog

from cdc_archive.watch.endpoint import Endpoint
from cdc_archive.watch.receiver import trouble_of
from cdc_archive.worker.background import Background

_log = structlog.get_logger(__name__)
NAME: Final = "dead-man"
_SECOND_US: Final = 1_000_000
_TRIES: Final = 4
"""In the time between two calls: the first, and after failures."""


class DeadMan:
    """Calls an address; the loop never waits for it.

    Args:
        endpoint: what is called.
        every_seconds: how often.
        on_outcome: told of each call: the receiver's name and whether it was taken.
        method: GET, which most such services want, or POST.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        every_seconds: float,
        on_outcome: Callable[[str, bool], None],
        method: Literal["GET", "POST"] = "GET",
    ) -> None:
        self._endpoint = endpoint
        self._every_us = int(every_seconds * _SECOND_US)
        self._on_outcome = on_outcome
        self._method = method
        self._background = Background(1, NAME)
        self._call: Future[str] | None = None
        self._evaluated = False
        self._wait_us = 0
        self._called_us = 0

    def evaluated(self) -> None:
        """A whole evaluation succeeded, and its state is kept."""
        self._evaluated = True

    def tell(self, now_us: int) -> None:
        """Call, if it is time and there was an evaluation since the last call."""
        self._settle()
        waited_us = now_us - self._called_us
        if self._call is None and self._evaluated and not 0 <= waited_us < self._wait_us:
            self._evaluated = False
            self._called_us = now_us
            self._call = self._background.submit(self._make)

    def _make(self) -> str:
        return self._endpoint.send(self._method, None, {"Cache-Control": "no-cache"})

    def _settle(self) -> None:
        if self._call is None or not self._call.done():
            return
        trouble = trouble_of(self._call)
        self._call = None
        self._wait_us = self._every_us // _TRIES if trouble else self._every_us
        self._on_outcome(NAME, not trouble)
        if trouble:
            _log.warning("the dead-man's switch was not reached", trouble=trouble)
