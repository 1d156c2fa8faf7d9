"""Runs seeds: the fold alone, and whole replays of an archive; says what went wrong."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import structlog

from cdc_archive.archive.reader.window import Window
from cdc_archive.sinks.sink import Line
from replay_world import archived, events, subject
from replay_world.checker import check_transitions
from replay_world.planted import PLANTED
from replay_world.world import World


class Failure(NamedTuple):
    """What a seed brought to light."""

    seed: int
    what: str


def fold(world: World) -> None:
    """The transitions of a world, whatever the order in which its partitions are given.

    Raises:
        AssertionError: they are not what happened.
    """
    told = subject.transitions(world.log)
    check_transitions(world, told)
    again = subject.transitions(world.log, shuffled=world.seed + 1)
    assert again == told, "another order of the partitions gives other transitions"


def replay(world: World) -> None:
    """The events of a world's archive: of all of it, and of windows.

    Raises:
        AssertionError: they are not what happened.
    """
    store, rng = archived.archive(world), Random(world.seed)
    with TemporaryDirectory() as folder:
        lines = archived.replay(store, Path(folder, "whole"))
        events.check_events(world, archived.read(lines))
        for number, window in enumerate(_windows(world, rng)):
            told = archived.replay(store, Path(folder, f"window-{number}"), Window(*window))
            try:
                events.check_events(world, archived.read(told), window)
            except AssertionError as error:
                raise AssertionError(f"{window}: {error}") from None


def _windows(world: World, rng: Random) -> Iterator[events.Window]:
    """Windows that begin and end where something happens."""
    times = [step.transaction.time_us for steps in world.steps for step in steps]
    for _ in range(2 if times else 0):
        start, end = sorted(rng.choice(times) for _ in range(2))
        yield events.Window(
            None if rng.random() < 0.2 else start, None if rng.random() < 0.2 else end
        )


def alike(world: World) -> None:
    """Replays of a world's archive by several jobs, and by runs that are killed and resumed.

    Raises:
        AssertionError: they do not give the same bytes.
    """
    store = archived.archive(world)
    with TemporaryDirectory() as folder:
        lines = archived.replay(store, Path(folder, "one"))
        for jobs in (2, 3):
            told = archived.replay(store, Path(folder, f"jobs-{jobs}"), jobs=jobs)
            assert told == lines, f"{jobs} jobs give other lines than one"
        rng = Random(world.seed)
        told = archived.replay_with_kills(store, Path(folder, "killed"), rng, rng.choice([1, 2, 3]))
        assert told == lines, "a run that was killed and resumed gives other lines"


def checkpointed(world: World) -> None:
    """Replays of windows that begin with a state checkpoint, made when half was archived.

    Raises:
        AssertionError: they do not give what replays without one give.
    """
    rng = Random(world.seed)
    store = archived.archive(world, part=rng.choice([0.5, 1.0]))
    with TemporaryDirectory() as folder:
        windows = [*_windows(world, rng)]
        for number, (start, _) in enumerate(windows):
            if start is not None:
                place = Path(folder, f"checkpoint-{number}")
                archived.checkpoint(
                    store, place, start - rng.choice([0, 0, 1_000_000]), rng.choice([1, 2])
                )
        archived.archive(world, store)
        for number, window in enumerate(windows):
            told = [
                archived.replay(
                    store, Path(folder, f"{number}-{with_it}"), Window(*window), checkpoints=with_it
                )
                for with_it in (False, True)
            ]
            assert told[0] == told[1], f"{window}: {_first_difference(*told)}"


def _first_difference(without: list[Line], with_it: list[Line]) -> str:
    """Where two replays part, without what they have in common."""
    for one, other in zip_longest(without, with_it):
        if one == other:
            continue
        if one is None or other is None:
            return f"{len(without)} events without a checkpoint, {len(with_it)} with it"
        told = [archived.read([line])[0] for line in (one, other)]
        facts = [one.event | {f"its {name}": v for name, v in one.evidence.items()} for one in told]
        parts = {name for name in facts[0] | facts[1] if facts[0].get(name) != facts[1].get(name)}
        shown = [{name: fact.get(name) for name in sorted(parts)} for fact in facts]
        return f"without a checkpoint {shown[0]}, with it {shown[1]}"
    return ""


CHECKS = {
    "fold": fold,
    "replay": replay,
    "alike": alike,
    "checkpointed": checkpointed,
}
WORLDS = {"fold": 80, "replay": 14, "alike": 8, "checkpointed": 8}
"""How many of the first seeds `make test` runs through each check; planted bugs are found there."""


def run_seed(seed: int, checks: Iterable[str] = tuple(CHECKS)) -> Failure | None:
    """One world, from beginning to verdict."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        world = World(seed)
        for check in checks:
            CHECKS[check](world)
    except AssertionError as error:
        return Failure(seed, str(error))
    except Exception:
        return Failure(seed, traceback.format_exc())
    finally:
        structlog.configure(**before)
    return None


def run_many(first: int, seeds: int, plant: str = "") -> Iterator[Failure | None]:
    """Worlds in all cores' processes."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=_prepare, initargs=(plant,)) as pool:
        yield from pool.map(partial(run_seed), range(first, first + seeds), chunksize=5)


def _prepare(plant: str) -> None:
    if plant:
        PLANTED[plant].put(setattr)
