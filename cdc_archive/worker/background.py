"""Threads beside the polling thread. They never keep the process from leaving.

The standard thread pool waits for its work when the program ends; a store that hangs would hold up
a stop past its deadline. Work that is cut off here is found by the next start, see checkpoint.py.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeVar

_T = TypeVar("_T")


class Background:
    """A fixed number of daemon threads that do work in the order it was handed in.

    Args:
        threads: how many.
        name: for thread names.
        most_waiting: when so much waits, whoever hands in more does it himself.
    """

    def __init__(self, threads: int, name: str, most_waiting: float = math.inf) -> None:
        self._most_waiting = most_waiting
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Do it soon, elsewhere; at once and here, if too much waits."""
        future: Future[_T] = Future()
        if self._work.qsize() < self._most_waiting:
            self._work.put((work, future))
        else:
            _do(work, future)
        return future

    def run_all(self, work: Sequence[Callable[[], None]]) -> None:
        """Do all of it side by side and wait; raises the first failure, in the order of `work`."""
        futures = [self.submit(piece) for piece in work]
        wait(futures)
        for future in futures:
            future.result()

    def _run(self) -> None:
        while True:
            _do(*self._work.get())  # a call, so that a thread that waits holds nothing of the last


def _do(work: Callable[[], Any], future: Future[Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever asks the future
        future.set_exception(error)
