"""Topic dumps: whole, in order, or refused by file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from support.captures import ALL_CAPTURES, FOLDER, messages
from support.listening import Listener, poll_until

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap, SourceInvalid
from cdc_archive.source.recorded import RecordedSource

P0 = TopicPartition("t", 0)


def line(offset: int, **fields: object) -> str:
    base = {"topic": "t", "partition": 0, "offset": offset, "key": None, "value": "eA=="}
    return json.dumps(base | fields)


def a_file(folder: Path, *lines: str, name: str = "dump.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", ALL_CAPTURES)
def test_a_capture_is_read_whole(name: str) -> None:
    """Every message of every capture, and then nothing."""
    source = RecordedSource([FOLDER / f"{name}.jsonl.gz"])
    source.open(Listener())
    found = poll_until(lambda _: source.exhausted, source)
    assert tuple(found) == messages(name)


def test_several_files_are_one_log(tmp_path: Path) -> None:
    """Offsets go on from file to file; gzip is told by the name."""
    first = a_file(tmp_path, line(3), line(4))
    second = tmp_path / "b.jsonl.gz"
    second.write_bytes(gzip.compress(line(5).encode()))
    source = RecordedSource([first, second])
    source.open(Listener())
    assert source.log_range(P0) == OffsetRange(3, 6)
    assert [one.offset for one in source.poll(0)] == [3, 4, 5]
    source.poll(0)
    assert (source.exhausted, source.lag(P0)) == (True, 0)


def test_a_partition_starts_where_the_listener_says(tmp_path: Path) -> None:
    """An import that was broken off goes on."""
    source = RecordedSource([a_file(tmp_path, *map(line, range(6)))])
    source.open(Listener({P0: 4}))
    assert [one.offset for one in source.poll(0)] == [4, 5]


def test_a_recording_that_begins_too_late_is_a_gap(tmp_path: Path) -> None:
    """The one before it is missing."""
    with pytest.raises(OffsetGap, match="begins at 8"):
        RecordedSource([a_file(tmp_path, line(8))]).open(Listener({P0: 5}))


def test_seek_goes_back_and_pause_holds(tmp_path: Path) -> None:
    """A fenced import reads again."""
    source = RecordedSource([a_file(tmp_path, *map(line, range(4)))])
    source.open(Listener())
    source.poll(0)
    source.seek(P0, 2)
    source.pause([P0])
    assert list(source.poll(0)) == []
    source.resume([P0])
    assert [one.offset for one in source.poll(0)] == [2, 3]


@pytest.mark.parametrize(
    "bad",
    [
        "rubbish",
        "{}",
        "[1]",
        line(1, value="not base64!"),
        line(1, timestamp_type="Monday"),
        line(-1),
        line(1, headers=[["only a name"]]),
    ],
)
def test_a_line_that_is_no_message_is_named(tmp_path: Path, bad: str) -> None:
    """By file and line, before anything is archived."""
    path = a_file(tmp_path, line(0), bad)
    with pytest.raises(SourceInvalid, match=r"dump\.jsonl, line 2"):
        RecordedSource([path]).open(Listener())


def test_offsets_that_do_not_rise_are_refused(tmp_path: Path) -> None:
    """The archive could not tell what is missing."""
    with pytest.raises(SourceInvalid, match=r"line 2: offset 3 of t\[0\] comes after offset 3"):
        RecordedSource([a_file(tmp_path, line(3), line(3))]).open(Listener())


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.jsonl.gz", "broken.jsonl.gz"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """Missing, or cut off in the middle of its compressed data."""
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(gzip.compress(line(0).encode() * 50)[:40])
    with pytest.raises(SourceInvalid, match=name):
        RecordedSource([tmp_path / name]).open(Listener())
