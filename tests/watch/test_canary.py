"""The canary's row, at both stages."""

from __future__ import annotations

import json
from typing import Any

from support.build import HOUR_16_MS, change, message
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.watch.canary import ArchivedCanary, Canary
from cdc_archive.worker.limits import Limits

SECOND = 1_000_000
START = HOUR_16_MS * 1_000
TOPIC = "pg.app.heartbeat"


def canary(archived: ArchivedCanary | None = None) -> Canary:
    return Canary(START, 300 * SECOND, 900 * SECOND, archived)


def looked(canary: Canary, after_s: int) -> list[tuple[str, ...]]:
    """Stages of what holds so long after the start."""
    return [one.examples for one in canary.conditions(START + after_s * SECOND)]


class Archive:
    """Grows by one commit a message."""

    def __init__(self) -> None:
        self.store: ObjectStore = MemoryStore()
        self._log: list[Message] = []

    def beat(self, after_s: int, topic: str = TOPIC, table: str = "heartbeat") -> None:
        offset = sum(one.topic == topic for one in self._log)
        value = change(ts_ms=HOUR_16_MS + after_s * 1_000, table=table)
        self._log.append(message(value, offset=offset, topic=topic))
        source = SimulatedSource(self._log)
        Workshop(source, self.store, Limits(commit_records=10)).run()


class Counted:
    """A store that counts what it is asked for."""

    def __init__(self, store: ObjectStore) -> None:
        self._store, self.requests = store, 0

    def __getattr__(self, name: str) -> Any:
        self.requests += name in {"get", "stat", "list"}
        return getattr(self._store, name)


def test_a_row_that_comes_in_time_is_no_alarm_and_has_an_age() -> None:
    """In seconds, by stage."""
    one = canary()
    one.seen(START + 100 * SECOND)
    assert one.ages(START + 130 * SECOND) == {"kafka": 30}
    assert looked(one, 400) == []


def test_a_row_that_is_old_names_the_stage_and_what_to_look_at() -> None:
    """It ends when a newer one comes."""
    one = canary()
    one.seen(START + 100 * SECOND)
    (condition,) = one.conditions(START + 401 * SECOND)
    assert condition[:4] == ("canary", "", "", "critical")
    assert "Kafka" in condition.summary
    assert "replication slot" in condition.summary
    assert condition.count == 301
    one.seen(START + 390 * SECOND)
    assert looked(one, 401) == []


def test_a_canary_that_never_comes_is_an_alarm() -> None:
    """Its age is that of the watch."""
    assert looked(canary(), 300) == []
    assert looked(canary(), 301) == [("kafka",)]
    assert canary().ages(START + 10 * SECOND) == {"kafka": 10}


def test_a_watch_that_was_down_for_long_gives_the_canary_its_time() -> None:
    """What it reads first is old."""
    one = canary()
    one.seen(START - 7_200 * SECOND)
    assert looked(one, 299) == []


def test_a_row_of_tomorrow_hides_nothing_until_tomorrow() -> None:
    """A clock that is wrong counts as one that is right now, at each stage."""
    archive = Archive()
    archive.beat(86_400)
    archived = ArchivedCanary(archive.store, TOPIC)
    archived.look()
    one = canary(archived)
    one.seen(START + 86_400 * SECOND)
    assert looked(one, 10) == []
    one.seen(START + 911 * SECOND)
    assert looked(one, 911) == [("archive",)]
    one = canary()
    one.seen(START + 86_400 * SECOND)
    assert looked(one, 10) == []
    assert looked(one, 311) == [("kafka",)]


def test_the_archive_is_late_alone_when_commits_stop() -> None:
    """If Kafka is late too, Kafka is named: it is why."""
    archive = Archive()
    archive.beat(5)
    archived = ArchivedCanary(archive.store, TOPIC)
    archived.look()
    one = canary(archived)
    one.seen(START + 890 * SECOND)
    assert one.ages(START + 905 * SECOND) == {"kafka": 15, "archive": 900}
    assert looked(one, 905) == []
    assert looked(one, 906) == [("archive",)]
    assert looked(one, 1_300) == [("kafka",)]


def test_new_commits_are_read_and_known_ones_are_not() -> None:
    """A look costs the same, however long the chain is."""
    archive = Archive()
    for second in range(20):
        archive.beat(second)
    counted = Counted(archive.store)
    archived = ArchivedCanary(counted, TOPIC)  # type: ignore[arg-type]
    archived.look()
    assert archived.newest_us == START + 19 * SECOND
    archive.beat(20)
    counted.requests = 0
    archived.look()
    assert archived.newest_us == START + 20 * SECOND
    assert counted.requests <= 6


def test_other_tables_and_topics_are_no_canary() -> None:
    """Of a topic that carries many tables, only the rows of its own count."""
    archive = Archive()
    archive.beat(1, "pg.all", "heartbeat")
    archive.beat(2, "pg.all", "orders")
    archive.beat(3, "pg.other", "heartbeat")
    archived = ArchivedCanary(archive.store, "pg.all", "app.heartbeat")
    archived.look()
    assert archived.newest_us == START + SECOND


def test_an_archive_that_cannot_be_read_is_told_with_its_reason() -> None:
    """None, one without the topic, one with a commit that is damaged."""
    store = MemoryStore()
    archived = ArchivedCanary(store, TOPIC)
    archived.look()
    assert archived.trouble == "there is no archive yet"
    archive = Archive()
    archive.beat(1, "pg.other")
    archived = ArchivedCanary(archive.store, TOPIC)
    archived.look()
    assert archived.trouble == f"it holds nothing of topic {TOPIC}"
    archive.store.create(f"commits/{TOPIC}/0/000000000000.json", json.dumps({}).encode())
    archived.look()
    assert "not a commit" in archived.trouble
    one = canary(archived)
    one.seen(START + 900 * SECOND)
    (condition,) = one.conditions(START + 901 * SECOND)
    assert "not a commit" in condition.summary
    assert "none was ever seen" in condition.summary
