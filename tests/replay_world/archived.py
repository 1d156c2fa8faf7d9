"""A world's log in a real archive, and replays of it: by jobs, broken off, resumed, by windows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.errors import NothingFound
from cdc_archive.history.position import Change
from cdc_archive.replay import checkpointing, job, processes, run
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.telling import Telling
from cdc_archive.sinks.sink import Line
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.worker.limits import Limits
from replay_world.rules import MAPPING
from replay_world.world import World


class Told(NamedTuple):
    """An event and its evidence, read back from JSON."""

    event: dict[str, Any]
    evidence: dict[str, Any]


class Killed(BaseException):
    """The process ends here."""


class Lines:
    """A sink that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def write(self, line: Line) -> None:
        """See the port."""
        self.lines.append(line)

    def close(self) -> None:
        """See the port."""

    def abort(self) -> None:
        """See the port."""


def archive(world: World, store: ObjectStore | None = None, part: float = 1.0) -> ObjectStore:
    """The world's log, archived by the real worker in commits of a few records each.

    Args:
        world: whose log.
        store: an empty one, or one that holds a part of it.
        part: how much of each partition has been read.
    """
    store = store or MemoryStore()
    length = Counter((one.topic, one.partition) for one in world.log)
    log = [one for one in world.log if one.offset < part * length[one.topic, one.partition]]
    few = Limits(commit_records=Random(world.seed).choice([7, 30, 1_000]))
    Workshop(SimulatedSource(log), store, few).run()
    return store


def replay(
    store: ObjectStore,
    folder: Path,
    window: Window = Window(),  # noqa: B008  # a frozen value
    jobs: int = 1,
    *,
    resume: bool = False,
    checkpoints: bool = True,
) -> list[Line]:
    """The lines of a replay; all jobs run in this process."""
    sink = Lines()
    order = run.Order(lambda: ArchiveReader(store), MAPPING, Asked(window), checkpoints)
    with patch.object(processes, "run_all", _here):
        run.replay(order, sink, folder, jobs, resume=resume)
    return sink.lines


def checkpoint(store: ObjectStore, folder: Path, at_us: int, jobs: int) -> int | None:
    """Make a checkpoint; gives back how many rows it has, None if there is nothing to keep."""
    order = run.Order(lambda: ArchiveReader(store), MAPPING, Asked())
    with patch.object(processes, "run_all", _here):
        try:
            return checkpointing.make(order, store, at_us, folder, jobs).rows
        except NothingFound:
            return None


def _here(work: Callable[[int], None], count: int, at_a_time: int) -> None:
    """All jobs, in this process."""
    for number in range(count):
        work(number)


def read(lines: list[Line]) -> list[Told]:
    """The lines as values."""
    return [Told(json.loads(one.event), json.loads(one.evidence)) for one in lines]


class _Doomed(Telling):
    """Ends the process after a number of changes."""

    left = 0

    def take(self, change: Change) -> Iterator[Any]:
        """Take one more, or die."""
        if _Doomed.left == 0:
            raise Killed
        _Doomed.left -= 1
        return super().take(change)


def replay_with_kills(store: ObjectStore, folder: Path, rng: Random, jobs: int) -> list[Line]:
    """The lines of a run that is killed again and again, and resumed each time."""
    every, kills = rng.choice([1, 3, 20]), 8
    with patch.object(job, "COMMIT_EVERY", every), patch.object(job, "Telling", _Doomed):
        for attempt in range(kills):
            _Doomed.left = rng.randrange(2 * every + 20)
            try:
                return replay(store, folder, jobs=jobs, resume=attempt > 0)
            except Killed:
                continue
        _Doomed.left = -1
        return replay(store, folder, jobs=jobs, resume=True)
