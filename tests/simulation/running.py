"""Runs seeds: quietly, traced, or in all cores' processes."""

from __future__ import annotations

import gc
import os
import time
import traceback
from collections import Counter
from collections.abc import Iterator, MutableMapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import structlog
from greenlet import getcurrent

from simulation.planted import PLANTED
from simulation.scheduler import Task
from simulation.world import World

_CHUNK = 20


class Failure(NamedTuple):
    """What a seed brought to light."""

    seed: int
    what: str


class Outcome(NamedTuple):
    """What happened in some worlds, how many there were, and those that failed."""

    counts: Counter[str]
    seeds: int
    failures: list[Failure]


def run_seed(seed: int, *, watched: bool = True, only: tuple[str, ...] = ()) -> Outcome:
    """One world, from beginning to verdict; see `World`."""
    world = World(seed, watched=watched, only=only)
    failures = []
    with logs_to(None):
        try:
            world.run()
        except Exception as error:
            failures.append(Failure(seed, _told(error)))
    return Outcome(world.counts, 1, failures)


def trace(seed: int) -> tuple[list[str], Failure | None]:
    """One world, and a line for everything that happened in it."""
    world = World(seed, tracing=True)
    with logs_to(world):
        try:
            world.run()
        except Exception as error:
            return world.lines, Failure(seed, traceback.format_exc() + _told(error))
    return world.lines, None


def run_many(first: int, seeds: int, seconds: float, plant: str = "") -> Iterator[Outcome]:
    """Worlds in all cores' processes, until there were enough or time is up or one failed."""
    ends = time.monotonic() + seconds
    cores = os.cpu_count() or 1
    chunks = (range(at, min(at + _CHUNK, first + seeds)) for at in count(first, _CHUNK))
    with ProcessPoolExecutor(cores, initializer=_prepare, initargs=(plant,)) as pool:
        running: set[Future[Outcome]] = set()
        failed = False
        while True:
            while len(running) < 2 * cores and time.monotonic() < ends and not failed:
                chunk = next(chunks)
                if not chunk:
                    break
                running.add(pool.submit(_run_chunk, chunk))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                failed = failed or bool(outcome.failures)
                yield outcome


def _prepare(plant: str) -> None:
    gc.set_threshold(100_000, 20, 20)
    if plant:
        PLANTED[plant](setattr)


def _run_chunk(seeds: range) -> Outcome:
    counts: Counter[str] = Counter()
    failures = []
    for seed in seeds:
        outcome = run_seed(seed)
        counts += outcome.counts
        failures += outcome.failures
    return Outcome(counts, len(seeds), failures)


def _told(error: BaseException) -> str:
    if isinstance(error, AssertionError):
        return str(error)
    return "".join(traceback.format_exception(error))


@contextmanager
def logs_to(world: World | None) -> Iterator[None]:
    """The worker's own logs: into the trace of a world, or nowhere."""
    before = structlog.get_config()

    def line(_logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
        task = getcurrent()
        who = task.process if isinstance(task, Task) else None
        rest = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
        if world is not None:
            world.remark(who, f"    {level}: {event['event']} {rest}")
        raise structlog.DropEvent

    level = 50 if world is None else 10
    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
