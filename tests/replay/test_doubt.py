"""What is missing in the archive is told with the events that it makes doubtful."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.row_changes import row_change
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader import quarantine
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.archive.writer.recovery import Recovery
from cdc_archive.audit import mapping
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import mapping_text
from cdc_archive.decode.decoder import Decoder
from cdc_archive.replay import checkpointing, explained, run, trial
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.report import Report
from cdc_archive.sinks.jsonl import JsonLines
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)
BEGIN_US = 1_771_516_800_000_000
RULES = """
name = "small"
[actor]
template = "@"
plain = "{type: 'session', session: {user: {id: @}}}"
[[actor.source]]
columns = { update = ["by"] }
[[rule]]
type = "row.updated"
tables = ["t"]
on = "update"
id = "to_string(row.id)"
payload = "{id: id, a: row.a}"
"""
UNDECODED = row_change(1, "tombstone", None, None)._replace(value=b'{"id":1,"a":2,"by":"ann"}')
LOG = [
    row_change(0, "c", None, {"id": 1, "a": 1, "by": "bob"}),
    UNDECODED,
    row_change(2, "u", None, {"id": 1, "a": 3, "by": "ann"}),
    row_change(3, "u", None, {"id": 1, "a": 4, "by": "eve"}),
]


@pytest.fixture
def store() -> MemoryStore:
    """An archive with a message in quarantine between two changes of a row."""
    made = MemoryStore()
    Workshop(SimulatedSource(LOG, batch=1), made, Limits(commit_records=1)).run()
    return made


def order(store: MemoryStore, window: Window = Window(), **more: Any) -> run.Order:  # noqa: B008
    return run.Order(lambda: ArchiveReader(store), RULES, Asked(window), **more)


def evidence(asked: run.Order, folder: Path) -> tuple[list[dict[str, Any]], Report]:
    folder.mkdir()
    sink = JsonLines(folder / "out", folder / "evidence")
    report = run.replay(asked, sink, folder / "work")
    sink.close()
    return [json.loads(line) for line in (folder / "evidence").read_text().splitlines()], report


def recover(store: MemoryStore) -> None:
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1771516800.0)
    recovery = Recovery(store, committer, Decoder([".*"]).decode, FileFormat())
    done = recovery.run(ArchiveReader(store), P0, quarantine.Asked())
    assert done.recovered.total() == 1


def test_a_version_from_before_a_message_in_quarantine_is_told_as_doubtful(
    store: MemoryStore, tmp_path: Path
) -> None:
    """Ann may have touched the row in the message that is missing: she is not verified."""
    told, report = evidence(order(store), tmp_path / "run")
    assert [(one["before"], one.get("before_doubt"), one["actor"]) for one in told] == [
        ("reconstructed", "quarantine", "unverified"),
        ("reconstructed", None, "exact"),
    ]
    assert report.to_dict()["before_doubt"] == {"quarantine": 1}


def test_what_was_recovered_leaves_no_doubt(store: MemoryStore, tmp_path: Path) -> None:
    """The message stands between the two changes again; it is of another table."""
    recover(store)
    told, report = evidence(order(store), tmp_path / "run")
    assert [one.get("before_doubt") for one in told] == [None, None]
    assert (report.quarantined, report.before_doubt) == (0, {})


@pytest.mark.parametrize("recovered", [False, True])
def test_a_checkpoint_knows_what_was_missing_before_it(
    store: MemoryStore, tmp_path: Path, *, recovered: bool
) -> None:
    """The evidence is that of a run from the beginning; also if it is recovered afterwards."""
    at_us = BEGIN_US + 2_000
    folder = tmp_path / "made"
    folder.mkdir()
    checkpointing.make(order(store), store, at_us, folder, 1)
    if recovered:
        recover(store)
    window = Window(at_us, None)
    told, report = evidence(order(store, window), tmp_path / "with")
    whole, _ = evidence(order(store, window, checkpoints=False), tmp_path / "without")
    assert told == whole
    assert [one.get("before_doubt") for one in told] == [None if recovered else "quarantine", None]
    assert report.checkpoint is not None


def test_explain_tells_the_doubt(
    store: MemoryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON and as text."""
    reader, rules = ArchiveReader(store), mapping.parse(RULES, "rules")
    read = run.read_row(rules)
    update = next(one for one in reader.scan(P0) if one.record.offset == 2)
    with trial.opened(reader, rules, read, tmp_path, Window()) as opened:
        found = explained.explain(opened, update, read)
    (step,) = json.loads(bytes(explained.as_line(found)))["steps"]
    assert (step["before"], step["before_doubt"]) == ("reconstructed", "quarantine")
    mapping_text.show_explained(found)
    assert "maybe not the last one: quarantine between" in capsys.readouterr().out
