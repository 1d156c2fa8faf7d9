"""Where missing events go: to the end of a file, into a bucket, into a topic; all or as told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mock_broker import API_VERSION, MockBroker, mock_broker

from cdc_archive.errors import SourceUnreachable, Stop
from cdc_archive.sinks.appended import AppendedLines
from cdc_archive.sinks.kafka import KafkaSink
from cdc_archive.sinks.marked import Marking
from cdc_archive.sinks.memory import MemorySink
from cdc_archive.sinks.s3 import ObjectSink
from cdc_archive.sinks.sink import Line
from cdc_archive.source.kafka_reading import KafkaTopicReader
from cdc_archive.source.message import Message
from cdc_archive.source.options import KafkaOptions
from cdc_archive.storage.memory import MemoryStore


def line(number: int) -> Line:
    event = {"id": f"e{number}", "type": "x", "x": {"id": f"key_{number % 3}"}}
    return Line(json.dumps(event).encode(), json.dumps({"id": f"e{number}"}).encode())


@pytest.fixture(scope="module")
def broker() -> Iterator[MockBroker]:
    with mock_broker() as broker:
        yield broker


def options(servers: str) -> KafkaOptions:
    return KafkaOptions((servers,), "unused", api_version=API_VERSION, connect_timeout_s=2)


# --- files -------------------------------------------------------------------------------------


def test_events_stand_at_the_end_of_the_file_when_all_are_written(tmp_path: Path) -> None:
    """A last line without its end gets one first."""
    path = tmp_path / "log"
    path.write_text("old")
    sink = AppendedLines(path)
    sink.write(line(1))
    assert path.read_text() == "old"
    sink.close()
    assert path.read_bytes() == b"old\n" + line(1).event + b"\n"
    assert [one.name for one in tmp_path.iterdir()] == ["log"]


def test_a_file_that_is_not_there_is_made_and_a_failed_run_leaves_none(tmp_path: Path) -> None:
    """Nothing half done."""
    for end in (AppendedLines.abort, AppendedLines.close):
        sink = AppendedLines(tmp_path / "new")
        sink.write(line(1))
        end(sink)
        assert len(list(tmp_path.iterdir())) == (end is AppendedLines.close)


def test_a_file_that_somebody_else_writes_to_is_left_to_them(tmp_path: Path) -> None:
    """Their lines would be lost with the old file."""
    path = tmp_path / "log"
    path.write_text("old\n")
    sink = AppendedLines(path)
    with path.open("a") as theirs:
        theirs.write("theirs\n")
    with pytest.raises(Stop, match="was written to by somebody else"):
        sink.close()
    assert path.read_text() == "old\ntheirs\n"
    assert [one.name for one in tmp_path.iterdir()] == ["log"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Before anything is written."""
    with pytest.raises(Stop, match="cannot be written"):
        AppendedLines(tmp_path / "none" / "log")


# --- buckets -----------------------------------------------------------------------------------


def test_objects_are_named_by_what_they_hold_and_made_once() -> None:
    """The same events make the same objects; none is written over."""
    store = MemoryStore()
    for created in (2, 0):
        sink = ObjectSink(store, size=100)
        for number in range(5):
            sink.write(line(number))
        sink.close()
        assert sink.created == created
    keys = [one.key for one in store.list("")]
    assert len(keys) == 2
    lines = b"".join(store.get(key) for key in keys).splitlines()
    assert sorted(lines) == [line(number).event for number in range(5)]


def test_an_object_that_is_not_what_its_name_says_is_told() -> None:
    """Somebody put it there."""
    store = MemoryStore()
    sink = ObjectSink(store)
    sink.write(line(1))
    sink.close()
    (key,) = (one.key for one in store.list(""))
    damaged = MemoryStore()
    damaged.create(key, b"else")
    last = ObjectSink(damaged)
    last.write(line(1))
    with pytest.raises(Stop, match="is not what its name says"):
        last.close()


# --- marks -------------------------------------------------------------------------------------


def test_a_marked_event_names_its_evidence() -> None:
    """In a member that no reader of events looks at."""
    inner = MemorySink()
    sink = Marking(inner)
    sink.write(line(1))
    sink.close()
    assert inner.events == [json.loads(line(1).event) | {"cdc_archive_backfill": "e1"}]


# --- topics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [False, True])
def test_messages_are_acknowledged_keyed_by_resource_and_marked(
    broker: MockBroker, mark: bool
) -> None:
    """Those of one resource stay in order, in one partition."""
    topic = broker.topic()
    sink = KafkaSink(options(broker.servers), topic, mark=mark)
    for number in range(30):
        sink.write(line(number))
    sink.close()
    assert sink.written == 30
    found = [
        one
        for one in KafkaTopicReader(options(broker.servers)).read(topic, None)
        if isinstance(one, Message)
    ]
    assert {one.value for one in found} == {line(number).event for number in range(30)}
    for about in (b"key_0", b"key_1", b"key_2"):
        of_one = [one for one in found if one.key == about]
        assert len({one.partition for one in of_one}) == 1
        ids = [int(json.loads(one.value or b"")["id"][1:]) for one in of_one]
        assert ids == sorted(ids)
    marks = {one.headers for one in found if b'"e7"' in (one.value or b"")}
    assert marks == {(("cdc-archive-backfill", b"e7"),) if mark else ()}


def test_a_broker_that_is_not_there_is_told_before_anything_is_written() -> None:
    """At once."""
    with pytest.raises(SourceUnreachable, match="no Kafka broker can be reached"):
        KafkaSink(options("127.0.0.1:1"), "audit")


def test_what_the_broker_does_not_take_is_no_success(broker: MockBroker) -> None:
    """An event that is larger than a message may be; what was written before it stays."""
    topic = broker.topic()
    sink = KafkaSink(options(broker.servers), topic)
    sink.write(line(1))
    large = line(2)._replace(event=json.dumps({"type": "x", "x": "y" * 2_000_000}).encode())
    with pytest.raises(SourceUnreachable, match=r"did not take all events"):
        sink.write(large)
    sink.abort()


def test_a_sink_is_given_up_while_events_are_on_their_way(broker: MockBroker) -> None:
    """Without a word that would stand in the place of why."""
    sink = KafkaSink(options(broker.servers), broker.topic())
    for number in range(200):
        sink.write(line(number))
    sink.abort()
