"""Row states and identities: in memory and on disk they answer alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc_archive.history.redelivery import MemorySeen, Seen
from cdc_archive.history.states import MemoryStates, RowStates, Version
from cdc_archive.history.transition import Origin
from cdc_archive.replay import disk_states
from cdc_archive.replay.disk_states import DiskSeen, DiskStates, rows_of

ORIGIN = Origin("pg.app.t", 0, 7)


def version(value: object = 1) -> Version:
    return Version({"id": value}, ORIGIN)


def on_disk(path: str = ":memory:") -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(disk_states.SCHEMA)
    return database


@pytest.fixture(params=["memory", "disk", "disk, nothing pending"])
def states(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RowStates:
    """Each kind."""
    if request.param == "memory":
        return MemoryStates()
    if request.param != "disk":
        monkeypatch.setattr(disk_states, "_PENDING", 1)
    monkeypatch.setattr(disk_states, "_PAGE", 2)
    return DiskStates(on_disk(), "pg")


def test_what_was_put_last_is_there(states: RowStates) -> None:
    """Until it is dropped; each table has its own keys."""
    assert states.get("t", "1") is None
    states.put("t", "1", version(1))
    states.put("t", "1", version(2))
    states.put("u", "1", version(3))
    assert (states.get("t", "1"), states.get("u", "1")) == (version(2), version(3))
    states.drop("t", "1")
    states.drop("t", "unknown")
    assert (states.get("t", "1"), states.get("u", "1")) == (None, version(3))
    states.put("t", "1", version(4))
    assert states.get("t", "1") == version(4)


def test_keys_come_in_the_order_of_their_text_while_rows_are_dropped(states: RowStates) -> None:
    """As a TRUNCATE drops them."""
    keys = ["b", "a", "é", "\ud800", "aa", "z" * 99]
    for key in keys:
        states.put("t", key, version())
    states.put("u", "0", version())
    found = []
    for key in states.keys("t"):  # a port's method
        states.drop("t", key)
        found.append(key)
    assert found == sorted(keys)
    assert list(states.keys("t")) == []
    assert list(states.keys("u")) == ["0"]


def test_a_version_comes_back_as_it_was(states: RowStates) -> None:
    """Exact numbers, who showed what, what is unknown, and text that is no Unicode."""
    row = {"n": Decimal("1.10"), "big": 2**80, "t": "\ud800", "list": [None, {"a": 1.5}]}
    kept = Version(row, ORIGIN, {"t": Origin("x", 1, 2, 3)}, frozenset({"gone", "also"}))
    states.put("t\ud800", "k\ud800", kept)
    found = states.get("t\ud800", "k\ud800")
    assert found == kept
    assert str(found.row["n"]) == "1.10"
    assert isinstance(found.filled["t"], Origin)


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "get", "keys"]),
        st.sampled_from("tu"),
        st.text(min_size=1, max_size=2),
        st.integers(),
    ),
    max_size=30,
)


@given(steps, st.integers(1, 4))
@settings(max_examples=30)
def test_disk_and_memory_agree(taken: list, pending: int) -> None:
    """Whatever is done, and whenever it is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_states, "_PENDING", pending)
        memory, disk = MemoryStates(), DiskStates(on_disk(), "pg")
        for what, table, key, value in taken:
            for one in (memory, disk):
                if what == "put":
                    one.put(table, key, version(value))
                elif what == "drop":
                    one.drop(table, key)
            if what == "get":
                assert memory.get(table, key) == disk.get(table, key)
            elif what == "keys":
                assert list(memory.keys(table)) == list(disk.keys(table))


def test_large_versions_are_not_held_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes count, not rows alone."""
    monkeypatch.setattr(disk_states, "_PENDING_BYTES", 100)
    database = on_disk()
    states = DiskStates(database, "pg")
    states.put("t", "1", version("x" * 99))
    assert database.execute("SELECT count(*) FROM rows").fetchone() == (1,)


def test_rows_of_one_connector_are_not_anothers() -> None:
    """Though their tables have the same name, and one name begins with the other."""
    database = on_disk()
    for connector in ("pg", "pg2", "p"):
        states = DiskStates(database, connector)
        for key in "ba":
            states.put("t", key, version(connector))
        states.flush()
    for connector in ("pg", "pg2", "p"):
        found = [(table, key, Version.decode(v)) for table, key, v in rows_of(database, connector)]
        assert found == [("t", "a", version(connector)), ("t", "b", version(connector))]


def test_what_was_written_is_there_for_the_next_process(tmp_path: Path) -> None:
    """What was only held is not: it is told again."""
    path = str(tmp_path / "states")
    first = DiskStates(on_disk(path), "pg")
    first.put("t", "1", version())
    first.flush()
    first.put("t", "2", version())
    assert list(DiskStates(on_disk(path), "pg").keys("t")) == ["1"]


@pytest.fixture(params=["memory", "disk", "disk, nothing pending"])
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Each kind."""
    kinds: dict[str, Callable[[], Seen]] = {"memory": MemorySeen}
    if "nothing" in request.param:
        monkeypatch.setattr(disk_states, "_PENDING", 1)
    return kinds.get(request.param, lambda: DiskSeen(on_disk()))()


def test_an_identity_is_known_with_the_runs_that_it_came_in(seen: Seen) -> None:
    """Of its own stream only, also when it is added after the first question."""
    assert seen.runs(1, b"a") == []
    seen.add(1, b"a", b"run-1")
    seen.add(2, b"a", b"run-2")
    seen.add(1, b"b", b"")
    assert (seen.runs(1, b"a"), seen.runs(1, b"b"), seen.runs(3, b"a")) == ([b"run-1"], [b""], [])
    seen.add(1, b"a", b"run-3")
    assert sorted(seen.runs(1, b"a")) == [b"run-1", b"run-3"]
    assert seen.runs(2, b"a") == [b"run-2"]
