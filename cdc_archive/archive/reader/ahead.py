"""Requests made side by side: a store far away answers many of them as soon as one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

_AT_ONCE: Final = 4
"""How many requests are under way, or answered and not yet taken."""


def ahead(ask: Callable[[_Asked], _Answer], these: Iterable[_Asked]) -> Iterator[_Answer]:
    """The answer to each of these, in their order; the next few are asked for meanwhile.

    Args:
        ask: gives the answer to one; called in other threads. What it raises is raised where its
            answer is due.
        these: what to ask for. No more of them are taken than are asked for.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting: deque[Future[_Answer]] = deque()
        try:
            for one in these:
                waiting.append(pool.submit(ask, one))
                if len(waiting) == _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
