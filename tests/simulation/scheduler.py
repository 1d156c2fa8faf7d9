"""Time, tasks and whose turn it is: one thread, no real time, everything decided by the seed.

A task is a greenlet of some process. It gives its turn away at every call to store, source and
clock, and gets it back when its event comes up. Nothing else switches, so a seed makes a run again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

NEVER = float("inf")
EPOCH = 1_771_516_800.0
"""2026-02-19T16:00:00Z: the moment at which every world begins."""
_MOST_EVENTS = 2_000_000


class Killed(BaseException):
    """The process is gone: unwinds its tasks, and no effect of theirs counts any more."""


class Scheduler:
    """The event queue. `now` is in seconds since the world began."""

    def __init__(self) -> None:
        self.now = 0.0
        self.failure: BaseException | None = None
        self.hub = getcurrent()
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._serial = 0

    def at(self, when: float, act: Callable[[], object]) -> None:
        """Let it happen; what is due at the same moment happens in the order of asking."""
        self._serial += 1
        heapq.heappush(self._events, (max(when, self.now), self._serial, act))

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen that is due up to `until`; stop early once `done()`."""
        events = self._events
        while events and events[0][0] <= until:
            if done():
                return
            assert self._serial < _MOST_EVENTS, "the world turns without end"
            self.now, _, act = heapq.heappop(events)
            act()
            if self.failure is not None:
                raise self.failure
        self.now = max(self.now, until)


class Task(greenlet):
    """One thread of a simulated process."""

    def __init__(self, process: Process, work: Callable[[], object]) -> None:
        super().__init__(self._work, process.scheduler.hub)
        self.process = process
        self.turn = 0
        self._do = work

    def _work(self) -> None:
        try:
            self._do()
        except Killed:
            pass
        except BaseException as error:
            self.process.scheduler.failure = error

    def wake_at(self, when: float) -> None:
        """Give the turn back then, unless something else does so before."""
        self.process.scheduler.at(when, partial(self.resume, self.turn))

    def resume(self, turn: int) -> None:
        """Go on, if this is the turn that is waited for and the process can."""
        process = self.process
        if self.turn != turn or self.dead or process.dead:
            return
        if process.frozen:
            process.parked.append(partial(self.resume, turn))
            return
        self.turn += 1
        self.switch()

    def park(self) -> None:
        """Give the turn away."""
        self.process.scheduler.hub.switch()
        if self.process.dead:
            raise Killed


class Process:
    """Something that can be killed or stopped at any call, with clocks of its own.

    Args:
        scheduler: whose time it lives in.
        name: for traces.
        rng: decides.
        fuse: how many calls until `strike` is called with this process.
        strike: kills or freezes it, and returns the next fuse.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        rng: Random,
        fuse: int,
        strike: Callable[[Process], int],
    ) -> None:
        self.scheduler, self.name, self.rng = scheduler, name, rng
        self.dead = self.frozen = False
        self.frozen_at = 0.0
        self.parked: list[Callable[[], object]] = []
        self.on_death: list[Callable[[], object]] = []
        self.fuse, self._strike = fuse, strike
        self.wall_skew = 0.0
        self._born = scheduler.now - rng.uniform(0, 1e6)
        self._stalled = 0.0
        self._tasks: list[Task] = []

    def spawn(self, work: Callable[[], object]) -> None:
        """A new thread of this process."""
        task = Task(self, work)
        self._tasks = [one for one in self._tasks if not one.dead]
        self._tasks.append(task)
        task.wake_at(self.scheduler.now)

    def point(self, weight: int = 1) -> None:
        """A moment at which the process may die or be stopped."""
        if self.dead:
            raise Killed
        self.fuse -= weight
        if self.fuse <= 0:
            self.fuse = self._strike(self)
            if self.dead:
                raise Killed
            if self.frozen:
                self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        """Let others run for so long."""
        task = _current()
        task.wake_at(self.scheduler.now + seconds)
        task.park()

    def monotonic(self) -> float:
        """Seconds; does not go on while the machine is suspended."""
        self.point()
        return self.scheduler.now - self._born - self._stalled

    def wall(self) -> float:
        """Unix seconds; wrong by whatever jumps there were."""
        self.point()
        return EPOCH + self.scheduler.now + self.wall_skew

    def wait_any(self, futures: Sequence[Future[Any]], timeout_s: float) -> bool:
        """Wait for the first of them; whether one is done."""
        self.point()
        if not any(future.done() for future in futures):
            task = _current()
            resume = partial(task.resume, task.turn)
            for future in futures:
                future.add_done_callback(lambda _: self.scheduler.at(self.scheduler.now, resume))
            task.wake_at(self.scheduler.now + timeout_s)
            task.park()
        return any(future.done() for future in futures)

    def kill(self) -> None:
        """Gone without a word. Requests that are on the wire may still arrive."""
        if self.dead:
            return
        self.dead = True
        for act in self.on_death:
            act()
        self.parked.clear()
        self.scheduler.at(self.scheduler.now, self._reap)

    def _reap(self) -> None:
        for task in self._tasks:
            if task:  # begun and not ended
                task.throw(Killed)
        self._tasks.clear()

    def freeze(self) -> None:
        """Stop, as by SIGSTOP or a suspended machine."""
        if not self.frozen:
            self.frozen, self.frozen_at = True, self.scheduler.now

    def thaw(self, *, suspended: bool) -> None:
        """Go on as if nothing had been; a suspended machine's monotonic clock stood still."""
        if not self.frozen or self.dead:
            return
        self.frozen = False
        if suspended:
            self._stalled += self.scheduler.now - self.frozen_at
        parked, self.parked = self.parked, []
        for resume in parked:
            self.scheduler.at(self.scheduler.now + self.rng.random(), resume)

    def unresponsive_for(self) -> float:
        """Seconds since it could last do anything."""
        if self.dead:
            return NEVER
        return self.scheduler.now - self.frozen_at if self.frozen else 0.0


class Threads:
    """Plays worker/background.py: a fixed number of threads, work in the order it was given."""

    def __init__(self, process: Process, count: int) -> None:
        self._process, self._free = process, count
        self._queue: deque[tuple[Callable[[], Any], Future[Any]]] = deque()

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        """Do it soon, elsewhere."""
        self._process.point()
        future: Future[Any] = Future()
        self._queue.append((work, future))
        self._next()
        self._process.point()
        return future

    def run_all(self, work: Sequence[Callable[[], None]]) -> None:
        """Do all of it side by side and wait; raises the first failure, in the order of `work`."""
        futures = [self.submit(piece) for piece in work]
        for future in futures:
            while not future.done():
                self._process.wait_any([future], NEVER)
        for future in futures:
            future.result()

    def _next(self) -> None:
        while self._free and self._queue:
            self._free -= 1
            self._process.spawn(partial(self._run, *self._queue.popleft()))

    def _run(self, work: Callable[[], Any], future: Future[Any]) -> None:
        try:
            result = work()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        self._free += 1
        self._next()


def _current() -> Task:
    task = getcurrent()
    assert isinstance(task, Task), "only a task can wait"
    return task
