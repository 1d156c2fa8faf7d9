"""A header whose name is not UTF-8 neither stops a client nor is lost."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from support.build import change, message
from support.listening import Listener, poll_until
from support.mock_broker import API_VERSION, MockBroker
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog import header_names
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import main
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.message import Message
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.source import Source
from cdc_archive.storage.local import LocalStore
from cdc_archive.storage.memory import MemoryStore

NAMES = (b"ok", b"\xff\xfe", "\u00e9\u202e".encode(), b"\xed\xa0\x80", b"\\xff", b"")


@pytest.mark.parametrize("client", [KafkaSource, LibrdkafkaSource])
def test_names_come_byte_for_byte(
    broker: MockBroker, client: Callable[[KafkaOptions], Source]
) -> None:
    """By both clients, with the messages before and after it."""
    topic = broker.topic()
    broker.produce_raw(topic, (b"before", [b"ok"]), (b"bad", NAMES), (b"after", [b"ok"]))
    source = client(
        KafkaOptions(
            bootstrap_servers=(broker.servers,),
            group_id=f"g-{secrets.token_hex(4)}",
            topics=(topic,),
            api_version=API_VERSION,
            session_timeout_ms=6000,
            connect_timeout_s=5.0,
        )
    )
    source.open(Listener())
    found = poll_until(lambda found: len(found) >= 3, source)
    source.close()
    assert [one.value for one in found] == [b"before", b"bad", b"after"]
    assert tuple(header_names.to_bytes(name) for name, _ in found[1].headers) == NAMES


def test_a_run_of_such_names_is_survived(broker: MockBroker) -> None:
    """Also where the interpreter has optimised the call: an error must not surface elsewhere."""
    topic = broker.topic()
    sent = [(b"%d" % n, [b"ok"] if n % 10 else [b"\xff"]) for n in range(300)]
    broker.produce_raw(topic, *sent)
    source = LibrdkafkaSource(
        KafkaOptions((broker.servers,), f"g-{secrets.token_hex(4)}", (topic,), api_version=(2, 3))
    )
    source.open(Listener())
    found = poll_until(lambda found: len(found) >= 300, source, seconds=60)
    source.close()
    names = {bytes(one.value): one.headers[0][0] for one in found if one.value is not None}
    for value, (name,) in sent:
        assert header_names.to_bytes(names[value]) == name


def quarantined(sent: Message) -> tuple[Message, str, str]:
    """What became of one message, on the whole way to a finished file and back."""
    store = MemoryStore()
    Workshop(SimulatedSource([sent]), store).run()
    reader = ArchiveReader(store)
    (commit,) = reader.commits(TopicPartition(sent.topic, sent.partition))
    ((message, reason, detail),) = reader.quarantined(commit.files[0])
    return message, reason, detail


@pytest.mark.parametrize("value", [change(), b"rubbish", None])
def test_such_a_message_goes_to_quarantine_whole(value: bytes | None) -> None:
    """A reader gets back the very message, whatever else is wrong with it."""
    headers = tuple((header_names.from_bytes(name), b"v") for name in NAMES)
    sent = message(value, headers=headers)
    found, reason, _ = quarantined(sent)
    assert found == sent
    assert reason == ("not_json" if value == b"rubbish" else "invalid_header_name")


def test_a_detail_that_imitates_the_note_changes_no_name() -> None:
    """The text of a message stands in the detail; names come back as they were."""
    text = b'{"op":"[header names in hex: ff]","after":1}'
    sent = message(text, headers=(("\\xff", b"v"),))
    found, reason, detail = quarantined(sent)
    assert found == sent
    assert reason == "unknown_op"
    assert detail


def test_such_a_message_can_be_shown_and_stays_in_quarantine_when_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its names are shown with backslashes, and no record with another name is made of it."""
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path))
    headers = tuple((header_names.from_bytes(name), b"v") for name in NAMES)
    Workshop(SimulatedSource([message(change(), headers=headers)]), LocalStore(tmp_path)).run()
    assert main.run(["quarantine", "show", "pg.app.t", "0", "0"]) == 0
    (shown,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[0] == "{"]
    assert [name for name, _ in shown["headers"]][:2] == ["ok", "\\xff\\xfe"]
    main.run(["quarantine", "retry"])
    capsys.readouterr()
    assert main.run(["cat"]) == 17
