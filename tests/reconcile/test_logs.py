"""Every published log gives the same events, wherever it lies, and tells what it cannot read."""

from __future__ import annotations

import gzip
import io
import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_s3.client import S3Client
from support.audit_api import TOKEN, AuditApi
from support.mock_broker import API_VERSION, MockBroker
from support.published import NOON, SECOND, event

from cdc_archive.archive.reader.window import Window
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import (
    NothingFound,
    SourceDenied,
    SourceInvalid,
    SourceUnreachable,
    TopicMissing,
)
from cdc_archive.reconcile import file_log
from cdc_archive.reconcile.api_log import Access, ApiLog
from cdc_archive.reconcile.bucket_log import BucketLog
from cdc_archive.reconcile.file_log import FileLog
from cdc_archive.reconcile.published import Published, PublishedLog, Unreadable
from cdc_archive.reconcile.services import Services
from cdc_archive.reconcile.shape import Names, Shape
from cdc_archive.reconcile.topic_log import TopicLog
from cdc_archive.source.kafka_reading import KafkaTopicReader
from cdc_archive.source.librdkafka_reading import LibrdkafkaTopicReader
from cdc_archive.source.message import CREATE_TIME, Message
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.reading import Deleted
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.s3 import S3Store

SHAPE = Shape(Names(), Services())
WINDOW = Window(NOON - 10 * SECOND, NOON + 3600 * SECOND)
EVENTS = [event(at=number, id=f"e{number}", n=number) for number in range(250)]
NO_EVENT = {"type": "api_key.updated", "id": "odd", "effective_at": "noon"}

Place = Callable[[Sequence[Any]], PublishedLog]
"""Puts values where a log reads them."""


def text(values: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in values)


def reader(client: type[Any], broker: MockBroker) -> Any:
    return client(
        KafkaOptions((broker.servers,), "unused", api_version=API_VERSION, connect_timeout_s=10)
    )


def in_a_topic(broker: MockBroker, values: Sequence[Any]) -> str:
    topic = broker.topic()
    broker.produce(
        Message(
            topic,
            number % 4,
            0,
            NOON // 1000 + number,
            CREATE_TIME,
            None,
            json.dumps(value).encode(),
        )
        for number, value in enumerate(values)
    )
    return topic


@pytest.fixture(
    params=["file", "gzip", "folder", "stdin", "memory", "s3", "http", "kafka-python", "librdkafka"]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    def put(values: Sequence[Any]) -> PublishedLog:
        kind, half = request.param, len(values) // 2
        if kind == "file":
            (tmp_path / "log").write_bytes(text(values))
            return FileLog([tmp_path / "log"], SHAPE)
        if kind == "gzip":
            (tmp_path / "log").write_bytes(gzip.compress(text(values)))
            return FileLog([tmp_path / "log"], SHAPE)
        if kind == "folder":
            (tmp_path / "a").write_bytes(text(values[:half]))
            (tmp_path / "b.gz").write_bytes(gzip.compress(text(values[half:])))
            return FileLog([tmp_path / "a", tmp_path / "b.gz"], SHAPE)
        if kind == "stdin":
            return FileLog([io.BytesIO(text(values))], SHAPE)
        if kind in ("memory", "s3"):
            store: Any = MemoryStore()
            if kind == "s3":
                bucket = f"b-{secrets.token_hex(4)}"
                s3: S3Client = request.getfixturevalue("s3")
                s3.create_bucket(Bucket=bucket)
                store = S3Store(s3, bucket, "audit")
            store.create("2026/a.jsonl", text(values[:half]))
            store.create("2026/b.jsonl.gz", gzip.compress(text(values[half:])))
            return BucketLog(store, "s3://b/audit", SHAPE)
        if kind == "http":
            api: AuditApi = request.getfixturevalue("api")
            api.events = list(values)
            return ApiLog(api.url, Access(TOKEN), SHAPE)
        client = KafkaTopicReader if kind == "kafka-python" else LibrdkafkaTopicReader
        broker: MockBroker = request.getfixturevalue("broker")
        return TopicLog(reader(client, broker), in_a_topic(broker, values), SHAPE)

    return put


def test_all_events_are_given_and_what_is_none_is_told(place: Place) -> None:
    """Each with a place of its own."""
    found = list(place([*EVENTS, NO_EVENT]).events(Window()))
    events = {one.id: one.event for one in found if isinstance(one, Published)}
    assert events == {one["id"]: one for one in EVENTS}
    assert len({one.where for one in found}) == len(found) == 251
    (odd,) = [one for one in found if isinstance(one, Unreadable)]
    assert odd.reason == "its time is none of ISO 8601: 'noon'"


# --- files -------------------------------------------------------------------------------------


def test_a_line_that_is_too_long_is_told_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bounded memory; empty lines are none."""
    monkeypatch.setattr(file_log, "LONGEST_LINE", 400)
    path = tmp_path / "log"
    path.write_bytes(b"x" * 5000 + b"\n\n" + text(EVENTS[:1]) + text(EVENTS[1:2]).rstrip())
    first, *others = FileLog([path], SHAPE).events(WINDOW)
    assert first == Unreadable(f"{path}:1", "a line of more than 400 bytes")
    assert [one.where for one in others] == [f"{path}:3", f"{path}:4"]


def test_a_file_that_was_cut_off_is_no_whole_log(tmp_path: Path) -> None:
    """Gzip tells it; what is not there is told as well."""
    (tmp_path / "log.gz").write_bytes(gzip.compress(text(EVENTS))[:-200])
    with pytest.raises(SourceInvalid, match=r"log\.gz cannot be read to its end"):
        list(FileLog([tmp_path / "log.gz"], SHAPE).events(WINDOW))
    with pytest.raises(SourceInvalid, match="none cannot be read"):
        list(FileLog([tmp_path / "none"], SHAPE).events(WINDOW))


# --- buckets -----------------------------------------------------------------------------------


def test_a_prefix_with_nothing_below_it_is_a_typing_error() -> None:
    """Unless a backfill is to go there."""
    with pytest.raises(NothingFound, match="nothing lies below s3://b/adit"):
        list(BucketLog(MemoryStore(), "s3://b/adit", SHAPE).events(WINDOW))
    assert not list(BucketLog(MemoryStore(), "s3://b/x", SHAPE, empty=True).events(WINDOW))


# --- topics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [KafkaTopicReader, LibrdkafkaTopicReader])
def test_a_topic_that_is_missing_and_a_broker_that_is_not_there_are_told(
    client: type[Any], broker: MockBroker
) -> None:
    """Before anything is read."""
    nowhere = client(KafkaOptions(("127.0.0.1:1",), "unused", connect_timeout_s=1))
    with pytest.raises(SourceUnreachable):
        list(TopicLog(nowhere, "audit", SHAPE).events(WINDOW))
    known = broker.topic("audit-log-known")
    log = TopicLog(reader(client, broker), known[:-1], SHAPE)
    with pytest.raises(TopicMissing, match="did you mean audit-log-known"):
        list(log.events(WINDOW))


@pytest.mark.parametrize("client", [KafkaTopicReader, LibrdkafkaTopicReader])
def test_headers_name_the_service_and_a_tombstone_is_told(
    client: type[Any], broker: MockBroker
) -> None:
    """An empty partition ends the reading no less than a full one."""
    topic = broker.topic()
    told = (("service", b"keys"),)
    value = json.dumps(EVENTS[0]).encode()
    broker.produce(
        [
            Message(topic, 1, 0, 1, CREATE_TIME, b"k", value, told),
            Message(topic, 1, 1, 1, CREATE_TIME, b"k", None),
        ]
    )
    log = TopicLog(reader(client, broker), topic, SHAPE, "service")
    one, other = log.events(Window())
    assert isinstance(one, Published)
    assert (one.service, one.where) == ("keys", f"{topic}[1]@0")
    assert other == Unreadable(f"{topic}[1]@1", "a tombstone: no value")


def test_what_retention_took_away_is_told_and_not_taken_for_missing() -> None:
    """It stood in the log; nobody can tell what it was."""

    class Reader:
        def read(self, topic: str, since_ms: int | None) -> Any:
            assert since_ms == (NOON - 10 * SECOND) // 1000 - 3_600_000
            yield Deleted(TopicPartition(topic, 0), 42)

    (lost,) = TopicLog(Reader(), "audit", SHAPE).events(WINDOW)
    assert isinstance(lost, Unreadable)
    assert (lost.where, lost.lost) == ("audit[0]@0..41", True)


# --- HTTP --------------------------------------------------------------------------------------


def impatient(waits: list[float], token: str | None = TOKEN) -> Access:
    """Time passes only by waiting."""
    return Access(token, patience_s=60, sleep=waits.append, clock=lambda: sum(waits))


def test_an_api_is_asked_for_the_window_page_by_page(api: AuditApi) -> None:
    """With the id of the last event before."""
    api.events = EVENTS
    found = list(ApiLog(api.url, Access(TOKEN), SHAPE).events(WINDOW))
    assert len(found) == 250
    bounds = {"effective_at[gte]": str(NOON // SECOND - 10)}
    bounds |= {"effective_at[lte]": str(NOON // SECOND + 3600), "limit": "100"}
    assert api.asked == [bounds, bounds | {"after": "e150"}, bounds | {"after": "e50"}]


def test_a_busy_api_is_asked_again_and_as_late_as_it_says(api: AuditApi) -> None:
    """429 with Retry-After, 500, and 503 without an answer to read."""
    api.events, waits = EVENTS[:1], list[float]()
    api.troubles = [(429, {"Retry-After": "7"}, b""), (500, {}, b"{}"), (503, {}, b"")]
    assert len(list(ApiLog(api.url, impatient(waits), SHAPE).events(WINDOW))) == 1
    assert waits[0] == 7
    assert waits[1:] == sorted(waits[1:])


def test_patience_with_an_api_ends(api: AuditApi) -> None:
    """A part of the log is never taken for the whole."""
    api.troubles = [(503, {}, b"")] * 99
    with pytest.raises(SourceUnreachable, match="HTTP 503"):
        list(ApiLog(api.url, impatient([]), SHAPE).events(WINDOW))
    with pytest.raises(SourceUnreachable, match="does not answer"):
        list(ApiLog("http://127.0.0.1:1/v1", impatient([]), SHAPE).events(WINDOW))


@pytest.mark.parametrize("token", [None, "sk-wrong"])
def test_an_api_that_refuses_names_the_setting_and_not_the_token(
    api: AuditApi, token: str | None
) -> None:
    """At once."""
    with pytest.raises(SourceDenied, match=r"reconcile\.http_token") as refused:
        list(ApiLog(api.url, Access(token), SHAPE).events(WINDOW))
    assert "sk-wrong" not in str(refused.value) + repr(Access(token))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b'{"data": 7}'),
        (200, b'{"data": [], "has_more": true}'),
        (404, b""),
        (302, b""),
    ],
)
def test_what_is_no_list_of_events_is_told(api: AuditApi, status: int, body: bytes) -> None:
    """And not read as an empty one."""
    api.troubles = [(status, {}, body)]
    with pytest.raises(SourceInvalid, match="address of the list"):
        list(ApiLog(api.url, Access(TOKEN), SHAPE).events(WINDOW))


def test_a_page_that_comes_again_is_no_endless_log(api: AuditApi) -> None:
    """A server that does not know `after`."""
    page = json.dumps({"data": EVENTS[:1], "has_more": True, "last_id": "e0"}).encode()
    api.troubles = [(200, {}, page)] * 3
    with pytest.raises(SourceInvalid, match="no id to go on after"):
        list(ApiLog(api.url, Access(TOKEN), SHAPE).events(WINDOW))
