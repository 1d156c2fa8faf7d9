"""Events as JSON lines: complete or not there, and nothing else is touched."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cdc_archive.errors import Stop
from cdc_archive.sinks.jsonl import JsonLines
from cdc_archive.sinks.sink import Line

EVENT = Line('{"id":"1","n":1.50,"text":"é"}'.encode(), b'{"id":"1","offset":7}')


def test_events_and_evidence_appear_when_complete(tmp_path: Path) -> None:
    """Line by line."""
    out, evidence = tmp_path / "events", tmp_path / "evidence"
    sink = JsonLines(out, evidence)
    sink.write(EVENT)
    assert not out.exists()
    sink.close()
    assert out.read_text() == '{"id":"1","n":1.50,"text":"é"}\n'
    assert evidence.read_text() == '{"id":"1","offset":7}\n'
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events", "evidence"]


def test_a_run_that_fails_leaves_the_old_result(tmp_path: Path) -> None:
    """And nothing half done."""
    out = tmp_path / "events"
    out.write_text("old")
    sink = JsonLines(out)
    sink.write(EVENT)
    sink.abort()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("events", "old")]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """Nor is a device: /dev/null stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    sink = JsonLines(pipe)
    sink.write(EVENT)
    sink.close()
    reader.join(10)
    assert pipe.is_fifo()
    assert read[0].startswith('{"id":"1"')


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Its target is replaced."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    sink = JsonLines(tmp_path / "link")
    sink.close()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == ""


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Before anything is replayed; and what was opened before it is gone again."""
    with pytest.raises(Stop, match="no/folder"):
        JsonLines(tmp_path / "no/folder/x")
    with pytest.raises(Stop, match="no/folder"):
        JsonLines(tmp_path / "x", tmp_path / "no/folder/x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_told() -> None:
    """By the name of the file; what was not written is then let go."""
    for line in (EVENT, EVENT._replace(event=b"x" * 100_000)):
        sink = JsonLines(Path("/dev/full"))
        with pytest.raises(Stop, match="/dev/full cannot be written: No space left"):  # noqa: PT012
            sink.write(line)
            sink.close()
        sink.abort()
