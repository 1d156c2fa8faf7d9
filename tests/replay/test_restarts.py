"""From when on a connector counts anew: as the chains tell it, each for itself."""

from __future__ import annotations

import json

from support.runs import NOON_US, Database, archived, order, replay

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.replay.restarts import Restarts
from cdc_archive.storage.object_store import ObjectStore


def accept(store: ObjectStore, position: int = 100) -> None:
    """Record in every chain that the connector began anew."""
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1771516800.0)
    for partition in ArchiveReader(store).partitions():
        head = chain.head(store, "archive-1", partition)
        assert head is not None
        committer.accept_stream_gap(partition, head, position, "slot", "ann")


def times(store: ObjectStore) -> dict:
    """What the chains of an archive tell."""
    reader, restarts = ArchiveReader(store), Restarts()
    for partition in reader.partitions():
        for commit in reader.commits(partition):
            restarts.add(commit)
    return dict(restarts.times())


def user(op: str, name: str) -> tuple:
    return (op, "user", None, {"id": 1, "name": name})


def note(op: str, text: str) -> tuple:
    return (op, "note", None, {"id": 1, "text": text})


def test_an_archive_without_a_loss_has_none() -> None:
    """Nor one that has lost messages, but no stream."""
    database = Database()
    database.commit(NOON_US, user("c", "a"))
    assert times(archived(database.log)) == {}


def test_all_chains_tell_of_one_beginning() -> None:
    """Whichever of them goes on first."""
    database = Database()
    database.commit(NOON_US, user("c", "a"), note("c", "x"))
    store = archived(database.log)
    accept(store)
    assert times(store) == {}
    database.begin_anew()
    database.commit(NOON_US + 50, note("u", "y"))
    database.commit(NOON_US + 60, user("u", "b"))
    assert times(archived(database.log, store)) == {"pg": [NOON_US + 50]}


def test_each_beginning_counts_once() -> None:
    """Also when a chain saw nothing between two of them."""
    database = Database()
    database.commit(NOON_US, user("c", "a"), note("c", "x"))
    store = archived(database.log)
    for at, change in ((10, user("u", "b")), (20, user("u", "c"))):
        accept(store)
        database.begin_anew()
        database.commit(NOON_US + at, change)
        archived(database.log, store)
    database.commit(NOON_US + 30, note("u", "y"))
    archived(database.log, store)
    assert times(store) == {"pg": [NOON_US + 10, NOON_US + 20]}


def test_events_stand_in_the_order_of_the_beginnings() -> None:
    """Across tables, although the new positions are lower than the old ones."""
    database = Database()
    database.commit(NOON_US, user("c", "a"), note("c", "x"))
    database.commit(NOON_US + 1, note("u", "y"))
    store = archived(database.log)
    accept(store)
    database.begin_anew()
    for at, change in ((10, user("u", "b")), (11, note("u", "z")), (12, user("u", "c"))):
        database.commit(NOON_US + at, change)
    told = replay(order(archived(database.log, store)))
    shown = [one.get("name", one.get("text")) for one in told.payloads]
    assert shown == [None, "y", "b", "z", "c"]
    places = [json.loads(line.evidence)["event_time_us"] - NOON_US for line in told.written]
    assert places == [0, 1, 10, 11, 12]
