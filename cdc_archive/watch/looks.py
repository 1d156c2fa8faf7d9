"""Looks that are taken beside the watch's loop, each on a thread of its own.

A look keeps what it saw; the loop asks for that and never waits. A look that hangs or fails is
noticed by its age, as one that sees nothing is: there is no other way for it to be told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog

_log = structlog.get_logger(__name__)


class Looks:
    """Takes looks until closed, the first at once.

    Args:
        looks: each is called again and again, by one thread.
        every_s: pause between two calls.
    """

    def __init__(self, looks: Iterable[Callable[[], None]], every_s: float) -> None:
        self._every_s = every_s
        self._closed = threading.Event()
        for number, look in enumerate(looks):
            threading.Thread(
                target=self._run, args=(look,), name=f"look-{number}", daemon=True
            ).start()

    def close(self) -> None:
        """Take no more looks; one that is under way ends by itself, and nobody waits for it."""
        self._closed.set()

    def _run(self, look: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                look()
            except Exception as error:  # noqa: BLE001  # it must look again, whatever this was
                _log.warning("look_failed", error=f"{type(error).__name__}: {error}")
            self._closed.wait(self._every_s)
