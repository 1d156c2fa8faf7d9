"""Whatever happens to workers and store: each offset once, nothing lost, nothing overwritten."""

from __future__ import annotations

from collections import Counter

import pytest

from cdc_archive.archive.format.commit import Commit, digest
from cdc_archive.archive.format.layout import commit_key
from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer.batch import AT_THE_BEGINNING
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.assignment import Assignment
from cdc_archive.worker.owned import Owned
from simulation.world import World, check

SEEDS = range(30)
STEPS = 120


@pytest.mark.parametrize("seed", SEEDS)
def test_every_offset_stands_once(seed: int) -> None:
    """A seed makes a run again."""
    world = World(seed)
    world.run(STEPS)
    check(world.store, world.log)


def test_the_runs_are_not_peaceful() -> None:
    """Fences, several commits of several workers, and files that no commit names."""
    happened: Counter[str] = Counter()
    for seed in range(10):
        world = World(seed)
        world.run(STEPS)
        happened["fences"] += world.fences
        happened["workers"] += world.joined
        happened["orphans"] += len(list(world.store.list("changes/"))) - world.named_files()
    assert happened["fences"] > 5
    assert happened["workers"] > 30
    assert happened["orphans"] > 10


def found_out(steps: int = STEPS) -> bool:
    """Whether the checker sees in some run that something is wrong."""
    for seed in SEEDS:
        world = World(seed)
        try:
            world.run(steps)
            check(world.store, world.log)
        except Exception:
            return True
    return False


def test_a_missing_fence_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that takes 412 for success believes in commits that are another's."""

    def put(self: Committer, commit: Commit) -> Head:
        data = commit.encode()
        self._store.create(commit_key(commit.topic_partition, commit.sequence), data)
        return Head(commit.sequence, digest(data), commit.end)

    monkeypatch.setattr(Committer, "_put", put)
    assert found_out(steps=400)


def test_an_overwriting_store_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without create-only a zombie replaces what another committed."""
    create = MemoryStore.create

    def overwrite(self: MemoryStore, key: str, data: bytes) -> bool:
        if key.startswith("commits/"):
            self._objects.pop(key, None)
        return create(self, key, data)

    monkeypatch.setattr(MemoryStore, "create", overwrite)
    assert found_out()


def test_a_commit_before_its_files_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps 3 and 4 the other way round: a store that fails in between leaves a lie."""
    commit = Committer.commit

    def reversed_order(self: Committer, batch: object, head: object) -> object:
        later: list = []
        run_all, self._run_all = self._run_all, later.extend
        done = commit(self, batch, head)
        self._run_all = run_all
        run_all(later)
        return done

    monkeypatch.setattr(Committer, "commit", reversed_order)
    assert found_out()


def test_buffers_kept_after_a_fence_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same messages would be committed twice."""

    def keep(self: Owned, head: Head, next_offset: int) -> None:
        self.head, self.in_flight = head, None
        if not hasattr(self, "batch"):
            self.batch = self._open_batch(self.partition, next_offset, AT_THE_BEGINNING)

    monkeypatch.setattr(Owned, "reset", keep)
    assert found_out()


def test_a_worker_that_starts_past_the_head_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would lose a message and call it absent from the log."""
    on_assigned = Assignment.on_assigned

    def skip_one(self: Assignment, partitions: list) -> dict:
        return {one: start + 1 for one, start in on_assigned(self, partitions).items()}

    monkeypatch.setattr(Assignment, "on_assigned", skip_one)
    assert found_out()
