"""Patience with a store: waits and tries again, and finds out what became of a lost answer.

Source of the waiting rule: "full jitter" (AWS Architecture Blog, Exponential Backoff And Jitter).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

import structlog

from cdc_archive.errors import ObjectMissing, ObjectTooLarge, Retry, StateUnknown, StoreUnreachable
from cdc_archive.storage.object_store import Content, ObjectStat, ObjectStore

_log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_FIRST_S: Final = 0.1
_LONGEST_S: Final = 10.0


class Patience(NamedTuple):
    """How long to try, and the clock to do it by."""

    retry_s: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform
    on_retry: Callable[[], None] = lambda: None


class RetryingStore:
    """A store that answers late rather than not at all.

    Args:
        inner: the store that is asked.
        patience: how long.

    Every method raises `StoreUnreachable` once patience ends, naming the last cause; for a create
    whose fate is still unknown then, `StateUnknown`.
    """

    def __init__(self, inner: ObjectStore, patience: Patience) -> None:
        self._inner = inner
        self._patience = patience

    def create(self, key: str, data: Content) -> bool:
        """See the port. If an answer was lost, what stands there is compared with `data`."""
        uncertain = False

        def attempt() -> bool:
            nonlocal uncertain
            try:
                created = self._inner.create(key, data)
            except StateUnknown:
                uncertain = True
                raise
            return created or (uncertain and self._is_there(key, data))

        return self._insist(attempt)

    def _is_there(self, key: str, data: Content) -> bool:
        try:
            return self._inner.holds(key, data)
        except (ObjectMissing, ObjectTooLarge):
            return False

    def get(self, key: str, limit: int | None = None) -> bytes:
        """See the port."""
        return self._insist(lambda: self._inner.get(key, limit))

    def holds(self, key: str, data: Content) -> bool:
        """See the port."""
        return self._insist(lambda: self._inner.holds(key, data))

    def stat(self, key: str) -> ObjectStat | None:
        """See the port."""
        return self._insist(lambda: self._inner.stat(key))

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        """See the port. A listing that broke off goes on after the last object seen."""
        after, listing = start_after, self._inner.list(prefix, start_after)

        def following() -> ObjectStat | None:
            nonlocal listing
            try:
                return next(listing, None)
            except Retry:
                listing = self._inner.list(prefix, after)
                raise

        while (stat := self._insist(following)) is not None:
            yield stat
            after = stat.key

    def check(self) -> None:
        """See the port: fails at once, for a start should not hang."""
        self._inner.check()

    def close(self) -> None:
        """See the port."""
        self._inner.close()

    def _insist(self, attempt: Callable[[], _T]) -> _T:
        patience = self._patience
        deadline = patience.monotonic() + patience.retry_s
        wait = _FIRST_S
        while True:
            try:
                return attempt()
            except Retry as error:
                pause = patience.uniform(0, wait)
                if patience.monotonic() + pause > deadline:
                    if isinstance(error, StateUnknown):
                        raise
                    raise StoreUnreachable(
                        f"{error.what} (tried for {patience.retry_s:g} s)", error.action
                    ) from None
                _log.warning(
                    "the store did not take it, trying again",
                    error=error.what,
                    action=error.action,
                    pause_s=round(pause, 1),
                )
            patience.on_retry()
            patience.sleep(pause)
            wait = min(wait * 2, _LONGEST_S)
