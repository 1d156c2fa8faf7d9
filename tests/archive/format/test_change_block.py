"""Blocks of changes are read as a general Avro decoder reads them, only faster."""

from __future__ import annotations

import io
from collections.abc import Iterator

import fastavro
from hypothesis import example, given
from hypothesis import strategies as st
from support import strategies
from support.captures import JSON_CAPTURES, messages

from cdc_archive.archive.format import avro, change_block, container
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import Undecodable

SCHEMA = container.reading_schema("change_record.avsc")
METADATA = {"cdc.topic": b"pg.app.t", "cdc.partition": b"0", "cdc.folder": b"d.s.t"}

parts = st.none() | st.binary(max_size=9) | st.sampled_from([63, 64, 8191, 8192]).map(bytes)
numbers = st.integers(-1, 200) | st.integers(0, 2**62) | st.sampled_from([2**13, 2**63 - 1])
records = st.builds(
    ChangeRecord,
    topic=st.sampled_from(["pg.app.t", "pg.app.t", "other"]),
    partition=st.sampled_from([0, 0, 0, 1]),
    offset=numbers,
    timestamp=numbers,
    timestamp_type=st.sampled_from([-1, 0, 1]),
    headers=st.just(()) | strategies.headers,
    key=st.none() | st.binary(max_size=80) | st.just(b'{"id":7}'),
    op=st.sampled_from(["c", "u", "d", "r", "t", "m", "tombstone", "begin"]),
    event_time_us=st.none() | numbers,
    hour_source=st.sampled_from(["source", "envelope", "kafka", "none", "elsewhere"]),
    table=st.sampled_from(["d.s.t", "d.s.t", "d.s.tt", ""]),
    before=parts,
    after=parts,
    source=parts,
    transaction=parts,
    envelope=parts,
)
blocks = st.lists(records, max_size=4)


def payload_of(block: list[ChangeRecord]) -> bytes:
    return b"".join(avro.change(avro.position(one.topic_partition), one) for one in block)


def by_the_general_decoder(count: int, payload: bytes) -> Iterator[ChangeRecord]:
    stream = io.BytesIO(payload)
    for _ in range(count):
        fields = fastavro.schemaless_reader(stream, SCHEMA)
        yield ChangeRecord._make(change_block.message_fields(fields).values())
    assert not stream.read(1)


def outcome(found: Iterator[ChangeRecord]) -> list[ChangeRecord | str]:
    """All records, and at their end what was wrong with the bytes, if anything."""
    told: list[ChangeRecord | str] = []
    try:
        told.extend(found)
    except Exception:
        told.append("damaged")
    return told


@given(blocks)
def test_any_block_is_read_as_the_general_decoder_reads_it(block: list[ChangeRecord]) -> None:
    """Whatever its records hold, and in whatever order usual and unusual ones come."""
    payload = payload_of(block)
    assert list(change_block.records(METADATA, len(block), payload)) == block
    assert list(change_block.records({}, len(block), payload)) == block


@given(blocks, st.data())
def test_damage_is_damage_to_both(block: list[ChangeRecord], data: st.DataObject) -> None:
    """A byte that is another, or a block cut short, gives the same records and the same refusal."""
    payload = bytearray(payload_of(block))
    if payload:
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(payload[: data.draw(st.integers(0, len(payload)))])
    ours = outcome(change_block.records(METADATA, len(block), damaged))
    plain = outcome(by_the_general_decoder(len(block), damaged))
    assert ours == plain or (len(block) > len(damaged) and ours == ["damaged"])


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=4))
@example([b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"])
@example([b"\x80\x00", b"\x80\x80\x00"])
def test_numbers_of_any_bytes_are_read_alike(encoded: list[bytes]) -> None:
    """Also those that are longer than they need be, and those of more than 64 bits."""
    payload = avro.position(TopicPartition("pg.app.t", 0)) + b"".join(encoded)
    ours = outcome(change_block.records(METADATA, 1, payload))
    assert ours == outcome(by_the_general_decoder(1, payload))


@given(blocks, st.sets(st.sampled_from(["c", "u", "tombstone"])))
def test_what_is_not_wanted_is_left_out(block: list[ChangeRecord], ops: set[str]) -> None:
    """The records are those that the question says yes to, and it is asked of each, in order."""
    asked = []

    def wanted(*seen: object) -> bool:
        asked.append(seen)
        return seen[0] in ops

    found = list(change_block.records(METADATA, len(block), payload_of(block), wanted))
    assert found == [one for one in block if one.op in ops]
    assert list(dict.fromkeys(asked)) == list(
        dict.fromkeys((one.op, one.key, one.headers) for one in block)
    )


def test_recorded_messages_are_of_the_usual_form() -> None:
    """What real connectors send is read the fast way, but for parts of more than 8 KiB."""
    for capture in JSON_CAPTURES:
        for message in messages(capture):
            try:
                record = Decoder().decode(message).record
            except Undecodable:
                continue
            if (
                record.op not in ("c", "u", "d", "r")
                or max(len(part or b"") for part in record[11:]) > 8191
            ):
                continue
            block = change_block._Block(1, payload_of([record]), None)
            common = change_block._patterns(record.topic_partition, record.table)
            assert [*block.usual(common)] == [record]
