"""What key statistics let a reader skip changes nothing of what it finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.row_changes import key_change, row_change
from support.row_histories import history_of
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.reader import find
from cdc_archive.archive.reader.find import Wanted
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.cli import history_json
from cdc_archive.errors import NothingFound
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.worker.limits import Limits

WITHOUT = FileFormat(keys=False)
KEYS = st.sampled_from([1, 2, 3, 4, "1", 1.5])


@st.composite
def logs(draw: st.DrawFn) -> list[Message]:
    """Rows of a few keys that are made, changed, moved and deleted, in two partitions."""
    log: list[Message] = []
    for step in range(draw(st.integers(1, 25))):
        key, at, partition = draw(KEYS), 10 * step, draw(st.integers(0, 1))
        kind = draw(st.sampled_from(["c", "u", "u", "u", "d", "move", "t", "keyless"]))
        row = {"id": key, "step": step}
        if kind == "move":
            made = key_change(at, key, to := draw(KEYS), row | {"id": to})
        elif kind == "t":
            made = [row_change(at, "t", None, None)._replace(key=None)]
        elif kind == "keyless":
            made = [row_change(at, "u", None, row)._replace(key=None)]
        else:
            image = draw(st.sampled_from([None, {"id": key, "step": -1}]))
            made = [row_change(at, kind, image, None if kind == "d" else row, key)]
        log += [one._replace(partition=partition) for one in made]
    return log


def told(log: list[Message], key: str, form: FileFormat) -> Any:
    try:
        return history_json.document(history_of(log, key, form=form), Window())
    except NothingFound as error:
        return error.what


@given(logs(), st.sampled_from(["1", "id=1", '{"id": 2}', "1.5", '{"id":"1"}']))
def test_a_row_has_the_same_history_with_and_without_them(log: list[Message], key: str) -> None:
    """Whatever became of its key: its versions, what proves them, and what may be missing."""
    assert told(log, key, FileFormat()) == told(log, key, WITHOUT)


class Counted(MemoryStore):
    """A store that counts the data files that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []

    def get(self, key: str, limit: int | None = None) -> bytes:
        if key.startswith("changes/"):
            self.files.append(key)
        return super().get(key, limit)


def archived(store: ObjectStore, form: FileFormat) -> ArchiveReader:
    """1,000 rows in 100 files."""
    log = [
        row_change(offset, "c", None, {"id": offset}, offset)._replace(offset=offset)
        for offset in range(1_000)
    ]
    Workshop(SimulatedSource(log, batch=10), store, Limits(commit_records=10), form=form).run()
    return ArchiveReader(store)


@pytest.mark.parametrize(("form", "most"), [(FileFormat(), 8), (WITHOUT, 201)])
def test_files_that_cannot_hold_a_key_are_not_read(form: FileFormat, most: int) -> None:
    """`cat --follow-key` of a row in one of 100 files; without statistics each is read twice."""
    store = Counted()
    reader = archived(store, form)
    found: list[Any] = [*find.records(reader, Wanted(follow_key=AskedKey(["517"])))]
    assert [one.record.offset for one in found] == [517]
    assert len(store.files) <= most


def test_an_archive_without_them_is_read_as_ever() -> None:
    """Files of before may hold any key."""
    store = Counted()
    reader = archived(store, WITHOUT)
    keys = {file.keys for commit in reader.commits(reader.partitions()[0]) for file in commit.files}
    assert len(keys) == 1
    found = find.records(reader, Wanted(follow_key=AskedKey(["3"])))
    assert [one.record.offset for one in found] == [3]
