"""Our Avro is Avro: other libraries read it and write the same bytes."""

from __future__ import annotations

import io
import json

import avro.datafile
import avro.io
import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies
from support.captures import JSON_CAPTURES, messages

from cdc_archive import schema_files
from cdc_archive.archive.format import avro as ours
from cdc_archive.archive.format import container
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import ArchiveDamaged, Undecodable
from cdc_archive.source.message import Message

CHANGE = fastavro.parse_schema(json.loads(schema_files.read("change_record.avsc")))
QUARANTINE = fastavro.parse_schema(json.loads(schema_files.read("quarantine_record.avsc")))
TYPES = ("none", "create", "log_append")


def as_avro(record: ChangeRecord | Message) -> dict:
    """The record as an Avro library wants it."""
    fields = record._asdict()
    fields["headers"] = [{"name": name, "value": value} for name, value in record.headers]
    fields["timestamp_type"] = TYPES[record.timestamp_type + 1]
    for name in ("before", "after", "source", "transaction", "envelope"):
        if fields.get(name) is not None:
            fields[name] = fields[name].decode()
    return fields


def encode(record: ChangeRecord) -> bytes:
    return ours.change(ours.position(record.topic_partition), record)


def by_fastavro(schema: dict, fields: dict) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, fields)
    return out.getvalue()


@given(strategies.messages)
def test_change_records_are_encoded_as_another_library_does(message: Message) -> None:
    """Byte for byte, for any record."""
    try:
        record = Decoder().decode(message).record
    except Undecodable:
        return
    assert encode(record) == by_fastavro(CHANGE, as_avro(record))


@given(
    strategies.messages, st.text(max_size=10), st.text(st.characters(codec="utf-8"), max_size=30)
)
def test_quarantined_messages_are_encoded_as_another_library_does(
    message: Message, reason: str, detail: str
) -> None:
    """Byte for byte, for any message."""
    partition = TopicPartition(message.topic, message.partition)
    encoded = ours.quarantined(ours.position(partition), message, reason, detail)
    fields = as_avro(message) | {"reason": reason, "detail": detail}
    assert encoded == by_fastavro(QUARANTINE, fields)


@given(st.integers(-(2**63), 2**63 - 1))
def test_longs_are_zigzag(number: int) -> None:
    """The whole range of 64 bits."""
    assert ours.long(number) == by_fastavro({"type": "long"}, number)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_beyond_64_bits_is_refused(number: int) -> None:
    """It would be read back as another one."""
    with pytest.raises(OverflowError):
        ours.long(number)


def a_file(name: str, codec: str) -> tuple[list[ChangeRecord], bytes]:
    """All records of a capture in one file, in several blocks."""
    records = [Decoder().decode(message).record for message in messages(name)]
    sync = container.sync_marker((name,))
    schema = container.schema_text("change_record.avsc")
    blocks = [
        b"".join(container.block(b"".join(map(encode, part)), len(part), codec, sync))
        for part in (records[i : i + 50] for i in range(0, len(records), 50))
    ]
    return records, container.header(schema, codec, {"cdc.format": b"1"}, sync) + b"".join(blocks)


@pytest.mark.parametrize("codec", ["zstandard", "deflate", "null"])
@pytest.mark.parametrize("name", JSON_CAPTURES)
def test_a_file_is_read_by_fastavro_and_by_us(name: str, codec: str) -> None:
    """Every record of every capture, under every codec."""
    records, data = a_file(name, codec)
    theirs = list(fastavro.reader(io.BytesIO(data)))
    assert [record["after"] for record in theirs] == [as_avro(r)["after"] for r in records]
    opened = container.read(data, "change_record.avsc", "k")
    ours_read = [fields["envelope"] for fields in opened.records]
    assert ours_read == [record.envelope for record in records]
    assert opened.metadata["cdc.format"] == b"1"


@pytest.mark.parametrize("codec", ["deflate", "null", "zstandard"])
def test_a_file_is_read_by_apache_avro(codec: str) -> None:
    """The reference implementation reads what we wrote."""
    records, data = a_file("pg_jp", codec)
    with avro.datafile.DataFileReader(io.BytesIO(data), avro.io.DatumReader()) as reader:
        theirs = [record["offset"] for record in reader]
    assert theirs == [record.offset for record in records]


@pytest.mark.parametrize("codec", ["zstandard", "deflate", "null"])
def test_damage_anywhere_is_refused_or_harmless(codec: str) -> None:
    """A flipped byte never crashes the reader and never goes unseen by both hash and reader."""
    _, data = a_file("pg_jp", codec)
    step = max(1, len(data) // 400)
    for at in range(0, len(data), step):
        damaged = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            list(container.read(damaged, "change_record.avsc", "the-key").records)
        except ArchiveDamaged as error:
            assert "the-key" in str(error)


@pytest.mark.parametrize("keep", [0, 3, 20, 900, -1, -17])
def test_a_truncated_file_is_refused(keep: int) -> None:
    """Wherever it ends."""
    _, data = a_file("pg_jp", "zstandard")
    with pytest.raises(ArchiveDamaged):
        list(container.read(data[:keep], "change_record.avsc", "k").records)


def test_a_block_that_lies_about_its_count_is_refused() -> None:
    """A count of 2^60 takes no memory."""
    sync = container.sync_marker(())
    head = container.header(container.schema_text("change_record.avsc"), "null", {}, sync)
    with pytest.raises(ArchiveDamaged, match="promises more"):
        list(
            container.read(
                head + ours.long(1 << 60) + ours.sized(b"abc") + sync, "change_record.avsc", "k"
            ).records
        )


def test_a_file_of_another_schema_is_refused() -> None:
    """Not every Avro file is ours."""
    out = io.BytesIO()
    fastavro.writer(out, {"type": "record", "name": "X", "fields": []}, [{}])
    with pytest.raises(ArchiveDamaged, match="not written with"):
        container.read(out.getvalue(), "change_record.avsc", "k")
