"""Memory pressure is relieved where it arises, without small files and without stopping others."""

from __future__ import annotations

from support.build import changes
from support.simulated_source import SimulatedSource
from support.workshop import Later, Workshop

from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits

HEAVY = TopicPartition("pg.app.t", 0)
LIGHT = TopicPartition("pg.app.t", 1)
BUDGET = 100_000


def large(count: int, partition: int = 0, start: int = 0, size: int = 4_000) -> list[Message]:
    """Messages of about `size` bytes."""
    plain = changes(count, start=start, partition=partition)
    return [one._replace(key=bytes(size)) for one in plain]


def shop(log: list[Message], batch: int) -> tuple[Workshop, Later]:
    """A worker over a store that answers when it is told to."""
    later = Later()
    made = Workshop(
        SimulatedSource(log, batch=batch),
        MemoryStore(),
        Limits(memory_budget_bytes=BUDGET),
        later,
        form=FileFormat("null"),
    )
    made.start()
    return made, later


def test_a_partition_over_its_share_is_held_back_before_the_others() -> None:
    """Over the soft limit the heavy one is paused, and the light one goes on."""
    made, _ = shop([*large(20), *large(1, partition=1)], batch=21)
    made.worker.step()
    assert BUDGET * 0.8 < made.worker.buffered_bytes < BUDGET
    assert made.source.paused == {HEAVY}
    for one in large(1, partition=1, start=1):
        made.source.append(one)
    made.worker.step()
    assert made.source.positions[LIGHT] == 2


def test_over_the_budget_nothing_is_read() -> None:
    """Whoever holds how much."""
    made, _ = shop([*large(40), *large(1, partition=1)], batch=41)
    made.worker.step()
    assert made.worker.buffered_bytes > BUDGET
    assert made.source.paused == {HEAVY, LIGHT}


def test_a_small_batch_is_not_committed_while_a_large_one_is_on_its_way() -> None:
    """It would relieve nothing and leave a small file; it is once nothing else can be."""
    made, later = shop([*large(40), *large(2, partition=1)], batch=42)
    made.worker.step()
    made.worker.step()
    assert len(later.waiting) == 1
    later.run()
    made.worker.step()
    assert [commit.partition for _, commit in made.notes.commits] == [0]
    assert made.source.paused == set()


def test_a_partition_that_was_given_up_and_came_back_is_paused_anew() -> None:
    """The client forgets the pause with the assignment; the worker must not believe in it."""
    made, _ = shop([*large(40), *large(40, partition=1)], batch=40)
    made.worker.step()
    assert made.source.paused == {HEAVY, LIGHT}
    made.source.lose(LIGHT)
    made.source.assign(LIGHT)
    made.source.batch = 0
    made.worker.step()
    assert made.source.paused == {HEAVY, LIGHT}
