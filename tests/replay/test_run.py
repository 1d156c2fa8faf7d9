"""A run: the same bytes however it is done, whether it broke or not, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.captures import JSON_CAPTURES, messages
from support.runs import (
    DAY_US,
    HOUR_US,
    NOON_US,
    RULES,
    SECOND_US,
    Database,
    archived,
    one_after_the_other,
    order,
    replay,
)

from cdc_archive import schema_files
from cdc_archive.errors import ArchiveDamaged, Stop
from cdc_archive.replay import job, processes, workspace
from cdc_archive.storage.memory import MemoryStore

OPENAI = schema_files.read("mappings/openai.toml").decode()


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "run_all", one_after_the_other)


def users(count: int = 3) -> Database:
    """Each is made and renamed, a second apart; so is a note."""
    database = Database()
    for number in range(count):
        at, user = NOON_US + number * SECOND_US, {"id": number, "name": "a", "team": 1}
        database.commit(at, ("c", "user", None, user), ("c", "note", None, {"id": 1, "text": "x"}))
        database.commit(
            at + 1,
            ("u", "note", None, {"id": 1, "text": f"{number}"}),
            ("u", "user", None, user | {"name": "b"}),
        )
    return database


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("name", JSON_CAPTURES)
def test_the_number_of_jobs_changes_no_byte(name: str) -> None:
    """Events, evidence and report."""
    store = archived(messages(name), records=60)
    one = replay(order(store, rules=OPENAI))
    assert len(one.written) > 50
    for jobs in (2, 3):
        assert replay(order(store, rules=OPENAI), jobs=jobs) == one


@pytest.mark.usefixtures("_in_this_process")
def test_events_of_two_tables_stand_in_the_order_of_their_commits() -> None:
    """Whichever job told them."""
    store = archived(users().log)
    for jobs in (1, 2):
        told = [line.event for line in replay(order(store), jobs=jobs).written]
        kinds = [json.loads(event)["type"] for event in told]
        assert kinds == ["user.added", "note.updated", "user.updated"] * 3


def test_two_connectors_are_merged_by_time() -> None:
    """Their positions cannot be compared; each keeps its own order, its clock may step back."""
    one, other = Database("pg"), Database("other")
    for number, second in enumerate([0, 4, 2, 6]):
        one.commit(NOON_US + second * SECOND_US, ("c", "user", None, {"id": number}))
    for number, second in enumerate([1, 5], 10):
        other.commit(NOON_US + second * SECOND_US, ("c", "user", None, {"id": number}))
    told = [one["id"] for one in replay(order(archived([*one.log, *other.log]))).payloads]
    assert told == ["0", "10", "1", "2", "11", "3"]


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("every", [1, 3])
def test_a_broken_run_goes_on_without_a_second_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """It broke at any change; what it wrote and counted is what one that never broke does."""
    store = archived(users().log, records=2)
    whole = replay(order(store), jobs=2)
    monkeypatch.setattr(job, "COMMIT_EVERY", every)
    take, left = job.Telling.take, 0

    def dying(self, change):  # noqa: ANN001, ANN202
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return take(self, change)

    monkeypatch.setattr(job.Telling, "take", dying)
    broken = 0
    for number in range(14):
        left = number
        folder = tmp_path / str(number)
        try:
            assert replay(order(store), folder, jobs=2) == whole
        except KeyboardInterrupt:
            broken += 1
            left = 1000
            assert replay(order(store), folder, jobs=2, resume=True) == whole
    assert broken == 12


def test_a_run_that_goes_on_reads_what_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the archive has grown since."""
    database = users(2)
    store = archived(database.log)
    before = replay(order(store))
    with monkeypatch.context() as patch:
        patch.setattr(job.Job, "run", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            replay(order(store), tmp_path / "run")
    database.commit(NOON_US + HOUR_US, ("c", "user", None, {"id": 9}))
    archived(database.log, store)
    assert replay(order(store), tmp_path / "run", resume=True) == before
    assert len(replay(order(store)).written) == len(before.written) + 1


def test_a_plan_that_was_not_finished_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the middle of planning leaves half of one."""
    store = archived(users().log)
    whole = replay(order(store))
    for where in ("count_the_unmapped", "shares"):
        with monkeypatch.context() as patch:
            patch.setattr(f"cdc_archive.replay.run.{where}", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                replay(order(store), tmp_path / where)
        assert replay(order(store), tmp_path / where, resume=True) == whole


def test_what_was_not_gathered_to_the_end_is_gathered_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No testimony stands there twice: two would not be told from two different ones."""
    database = Database()
    database.commit(NOON_US, ("m", "who", None, {"who": "ann"}), ("c", "user", None, {"id": 1}))
    store = archived(database.log)
    with monkeypatch.context() as patch:
        patch.setattr("cdc_archive.replay.gather.Gathering.lookups", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            replay(order(store), tmp_path / "run")
    assert replay(order(store), tmp_path / "run", resume=True) == replay(order(store))


@pytest.mark.parametrize(
    "other",
    [
        {"rules": RULES.replace("small", "other")},
        {"end_us": NOON_US + DAY_US},
        {"checkpoints": False},
    ],
)
def test_a_run_goes_on_only_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict
) -> None:
    """Another mapping or window would mix two runs."""
    store = archived(users().log)
    with monkeypatch.context() as patch:
        patch.setattr(job.Job, "run", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            replay(order(store), tmp_path / "run")
    with pytest.raises(Stop, match="of another archive, mapping, window or version"):
        replay(order(store, **other), tmp_path / "run", resume=True)
    assert replay(order(store, **other), tmp_path / "run") == replay(order(store, **other))


def test_two_runs_in_one_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second, before it touches anything."""
    monkeypatch.setattr(workspace, "_WAIT_S", 0.0)
    store = archived(users().log)
    with workspace.Workspace(tmp_path).held():
        kept = sorted(tmp_path.iterdir())
        script = (
            "from pathlib import Path; from cdc_archive.replay import workspace\n"
            "workspace._WAIT_S = 0.0\n"
            f"with workspace.Workspace(Path({str(tmp_path)!r})).held(): pass"
        )
        with pytest.raises(Stop, match="another replay works in"):
            replay(order(store), tmp_path)
        assert "another replay works in" in said_by(script)
        assert sorted(tmp_path.iterdir()) == kept


def said_by(script: str) -> str:
    """What a script that fails says."""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    return done.stderr


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Path]:
    """Somebody's folder; nothing in it is touched."""
    (tmp_path / "plan.sqlite").write_text("my plan")
    (tmp_path / "photo").write_text("mine")
    yield tmp_path
    assert (tmp_path / "plan.sqlite").read_text() == "my plan"
    assert (tmp_path / "photo").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_somebody_else_is_left_alone(strange: Path, *, resume: bool) -> None:
    """Though a file in it has a name that ours would have."""
    with pytest.raises(Stop, match="has files that no replay made"):
        replay(order(archived(users().log)), strange, resume=resume)


@pytest.mark.parametrize("name", ["lock", "plan"])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, name: str) -> None:
    """By its path."""
    with workspace.Workspace(tmp_path).held():
        pass
    (tmp_path / f"{name}.sqlite").write_text("no database at all, although it is long enough" * 9)
    with pytest.raises(Stop, match=f"{name}.sqlite is no file of a replay"):
        replay(order(archived(users().log)), tmp_path, resume=True)


def test_another_programs_database_is_no_lock(tmp_path: Path) -> None:
    """It is refused as it is."""
    with sqlite3.connect(tmp_path / "lock.sqlite") as database:
        database.execute("CREATE TABLE mine (a)")
    database.close()
    with pytest.raises(Stop, match=r"lock\.sqlite is no file of a replay"):
        replay(order(archived(users().log)), tmp_path)


def test_only_its_owner_can_read_a_run(tmp_path: Path) -> None:
    """Rows of the archive lie in it, whoever may read the folder above."""
    shared, folder = tmp_path / "shared", tmp_path / "run"
    shared.mkdir(mode=0o755)
    store = archived(users().log)
    for one in (shared, folder):
        replay(order(store), one)
        assert {path.stat().st_mode & 0o077 for path in one.iterdir()} == {0}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_finished_run_leaves_nothing_and_takes_nothing_else(tmp_path: Path) -> None:
    """What somebody put beside its files stays."""
    for kept in ([], ["notes.txt", "job-x.sqlite", "other.sqlite"]):
        folder = tmp_path / str(len(kept))
        replay(order(archived(users().log)), folder, jobs=1)
        for name in kept:
            (folder / name).touch()
        workspace.Workspace(folder).remove()
        assert folder.exists() == bool(kept)
        assert not kept or sorted(path.name for path in folder.iterdir()) == sorted(kept)


def test_a_full_disk_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when there is room the run goes on."""
    store, opened = archived(users(40).log), workspace.open_database

    def tiny(path: Path, **more: object) -> sqlite3.Connection:
        database = opened(path, **more)
        database.execute("PRAGMA max_page_count = 12")
        return database

    with monkeypatch.context() as patch:
        patch.setattr("cdc_archive.replay.run.open_database", tiny)
        with pytest.raises(Stop, match="disk is full") as refused:
            replay(order(store), tmp_path)
    assert "go on with --resume" in refused.value.action
    assert replay(order(store), tmp_path, resume=True) == replay(order(store))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(Stop, match="cannot be made") as refused:
        replay(order(archived(users().log)), tmp_path / "file" / "run")
    assert "--work-dir" in refused.value.action


def test_a_damaged_file_stops_the_run(tmp_path: Path) -> None:
    """It is not skipped; and the run goes on when the file is back."""
    store = archived(users().log)
    key = next(stat.key for stat in store.list("changes/table=lab.app.user"))
    damaged = MemoryStore()
    for stat in store.list(""):
        damaged.create(stat.key, b"x" if stat.key == key else store.get(stat.key))
    with pytest.raises(ArchiveDamaged, match="not those that were committed"):
        replay(order(damaged), tmp_path)
    assert replay(order(store), tmp_path, resume=True) == replay(order(store))


def test_unmapped_changes_are_counted_as_a_scan_counts_them() -> None:
    """From the commits alone where a file lies in the window, from its records where it is cut."""
    database = Database()
    for second in range(6):
        at = NOON_US + second * SECOND_US
        database.commit(at, ("c" if second else "r", "log", None, {"id": second}))
        database.commit(at, ("c", "user", None, {"id": second}))
    store = archived(database.log)
    for start, end in ((None, None), (0, 6), (2, 4), (1, 9), (4, 4), (7, None)):
        edges = [None if at is None else NOON_US + at * SECOND_US for at in (start, end)]
        held = [
            second
            for second in range(6)
            if (start is None or second >= start) and (end is None or second < end)
        ]
        report = replay(order(store, *edges)).report
        counted = len([second for second in held if second])
        assert report.unmapped == ({"lab.app.log": counted} if counted else {})
        assert report.snapshot_rows == (0 in held)
        assert report.records == 2 * len(held)
