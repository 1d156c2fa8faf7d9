"""A mapping is tried on what a replay would read."""

from __future__ import annotations

from pathlib import Path

from support.runs import NOON_US, RULES, SECOND_US, Database, archived

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.audit import mapping
from cdc_archive.replay import trial
from cdc_archive.replay.run import read_row


def test_a_version_before_may_have_a_later_time_than_the_window(tmp_path: Path) -> None:
    """The clock stepped back: the creation lies after the window's end, its update within."""
    database = Database()
    database.commit(NOON_US + 2 * SECOND_US, ("c", "user", None, {"id": 1, "name": "a"}))
    database.commit(NOON_US, ("u", "user", None, {"id": 1, "name": "b"}))
    rules, window = mapping.parse(RULES, "small"), Window(NOON_US, NOON_US + SECOND_US)
    reader = ArchiveReader(archived(database.log))
    with trial.opened(reader, rules, read_row(rules), tmp_path, window) as tried:
        told = [
            (transition.op, transition.before_proof)
            for step in tried.steps(lambda _: True, window.end_us)
            if window.holds(step.change.archived.record.event_time_us)
            for transition in step.transitions
        ]
    assert told == [("update", "reconstructed")]
