"""Whatever a database did and its connector made of it: the whole history, nothing invented."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.replay import run
from cdc_archive.replay.asked import Asked
from cdc_archive.storage.local import LocalStore
from replay_world import archived
from replay_world.rules import MAPPING
from replay_world.running import CHECKS, WORLDS, run_seed
from replay_world.world import World

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_told_is_what_happened(check: str) -> None:
    """Row by row; event by event; the same by jobs and broken runs; the same with checkpoints."""
    found = [run_seed(seed, (check,)) for seed in range(WORLDS[check])]
    assert [one for one in found if one is not None] == []


def test_processes_give_the_same_bytes(tmp_path: Path) -> None:
    """Real ones, over a folder."""
    world = World(2)
    (tmp_path / "archive").mkdir()
    archived.archive(world, LocalStore(tmp_path / "archive"))
    order = run.Order(partial(_open, tmp_path / "archive"), MAPPING, Asked())
    told = []
    for jobs in (1, 2):
        sink = archived.Lines()
        run.replay(order, sink, tmp_path / f"jobs-{jobs}", jobs)
        told.append(sink.lines)
    assert told[0] == told[1] != []


def _open(folder: Path) -> ArchiveReader:
    return ArchiveReader(LocalStore(folder))


@pytest.fixture(scope="module")
def happened() -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(WORLDS["fold"]):
        world = World(seed)
        counts["copies"] += world.copies
        for connector, steps in zip(world.connectors, world.steps, strict=True):
            sent = [one for one in connector.sent if one.change is not None]
            for one, later in pairwise(sent):
                assert one.change is not None
                assert later.change is not None
                counts["lsn back"] += later.change.lsn < one.change.lsn
                counts["lsn shared"] += later.change.lsn == one.change.lsn
                if one.transaction is not None and later.transaction is not None:
                    counts["clock back"] += later.transaction.time_us < one.transaction.time_us
                    counts["xid back"] += later.transaction.xid < one.transaction.xid
            for one in connector.sent:
                kind = one.change.op if one.change is not None else "read"
                counts[f"op {kind}"] += 1
                counts["incremental"] += one.read is not None and one.order == (0, 0)
            for step in steps:
                counts["without key"] += step.key is None
                counts["ambiguous"] += step.transaction.ambiguous
                if step.op != "create":
                    counts["nothing known before"] += step.proven_before is None
                    known = step.proven_before is not None and step.before is not None
                    counts["partly known"] += known and step.before != step.proven_before
                if step.after is not None:
                    counts["unknown after"] += step.after != step.proven_after
                    counts["no change"] += step.before == step.after
    return counts


@pytest.mark.parametrize(
    "what",
    [
        "copies",
        "lsn back",
        "lsn shared",
        "clock back",
        "xid back",
        *(f"op {one}" for one in ("c", "u", "d", "t", "m", "move", "read")),
        "incremental",
        "without key",
        "ambiguous",
        "nothing known before",
        "partly known",
        "unknown after",
        "no change",
    ],
)
def test_the_worlds_are_not_simple(happened: Counter[str], what: str) -> None:
    """Each kind of trouble is met in the first worlds already."""
    assert happened[what] > 0


def test_a_seed_makes_a_world_again() -> None:
    """Message for message, in another process and under another hash seed too."""
    program = """
import hashlib
from replay_world.world import World
print(hashlib.sha256(repr(World(3).log).encode()).hexdigest())
"""
    seen = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            cwd=TESTS.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
    assert World(3).log != World(4).log
