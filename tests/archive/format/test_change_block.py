"""Blocks of changes are read as a general Avro decoder reads them, only faster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import strategies
from support.blocks import is_read_alike, payload_of, quickly
from support.captures import JSON_CAPTURES, messages
from support.compiled import can_compile, choose

from cdc_archive.archive.format import avro, change_block
from cdc_archive.archive.format.pattern_block import OpenBlock, PatternBlock
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord, Headers
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import Undecodable

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


@pytest.fixture(params=["python", "compiled"], autouse=True)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either reader; the compiled one is missing where it could not be compiled."""
    return choose(change_block, request, monkeypatch)


same_lane = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The same reader for all examples."""


def test_the_reader_is_compiled_where_a_compiler_is() -> None:
    """Else nothing would test it."""
    if can_compile():
        assert change_block._found() is not None


@same_lane
@given(blocks, st.sampled_from([1, 1, 1, 40]))
def test_any_block_is_read_as_the_general_decoder_reads_it(
    once: list[ChangeRecord], times: int
) -> None:
    """Whatever its records hold, and in whatever order usual and unusual ones come."""
    block = once * times
    payload = payload_of(block)
    assert [*quickly(len(block), payload)] == block
    assert [*quickly(len(block), payload, metadata={})] == block


@same_lane
@given(blocks, st.data())
def test_damage_is_damage_to_both(block: list[ChangeRecord], data: st.DataObject) -> None:
    """A byte that is another, or a block cut short, gives the same records and the same refusal."""
    payload = bytearray(payload_of(block))
    if payload:
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(payload[: data.draw(st.integers(0, len(payload)))])
    assert is_read_alike(len(block), damaged)


def _each_damage(payload: bytes) -> Iterator[bytes]:
    """Each byte left out, doubled, or another; and the block cut off there."""
    for at in range(len(payload)):
        yield payload[:at] + payload[at + 1 :]
        yield payload[: at + 1] + payload[at:]
        yield payload[:at]
        for other in (0x00, 0x01, 0x02, 0x04, 0x7E, 0x80, 0xFE, 0xFF, payload[at] ^ 1):
            yield payload[:at] + bytes((other,)) + payload[at + 1 :]


def test_no_damaged_byte_is_taken_for_sound() -> None:
    """Damage at any place of a block of usual records is what it is to the general decoder."""
    headers: Headers = (("h\u00e9", b"v"), ("n", None), ("h\u00e9", b""))
    place = ("pg.app.t", 0, 8_191, 1_771_516_800_000, 0)
    row = ChangeRecord(
        *place, headers, b'{"id":7}', "u", 1_771_516_800_000_001, "source", "d.s.t",
        None, b'{"id":7}', b'{"ts_us":1}' * 8, b"null", b"{}",
    )  # fmt: skip
    end = row._replace(offset=8_192, op="tombstone", event_time_us=None, after=None, key=None)
    for damaged in _each_damage(payload_of([row, end, row])):
        assert is_read_alike(3, damaged), damaged


encoded_numbers = st.builds(
    lambda more, last: bytes((*more, last)),
    st.lists(st.integers(0x80, 0xFF), max_size=10),
    st.integers(0, 0x7F),
)


@same_lane
@given(*[encoded_numbers] * 4, st.booleans())
@example(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80\x00", b"\x02", b"\x01", False)
@example(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x80\x80\x00", b"\xff\x7f", b"\x81\x00", False)
def test_numbers_of_any_bytes_are_read_alike(
    offset: bytes, timestamp: bytes, kind: bytes, time_us: bytes, ends_early: bool
) -> None:
    """Also negative ones, longer ones than they need be, and those of more than 64 bits."""
    before = avro.position(TopicPartition("pg.app.t", 0)) + offset + timestamp + kind
    after = b"\x00" * 2 + avro.sized(b"u") + b"\x02" + time_us
    words = avro.sized(b"source") + avro.sized(b"d.s.t")
    assert is_read_alike(1, before if ends_early else before + after + words + b"\x00" * 5)


@same_lane
@given(blocks, st.sets(st.sampled_from(["c", "u", "tombstone"])))
def test_what_is_not_wanted_is_left_out(block: list[ChangeRecord], ops: set[str]) -> None:
    """The records are those that the question says yes to, and it is asked of each, in order."""
    asked = []

    def wanted(*seen: object) -> bool:
        asked.append(seen)
        return seen[0] in ops

    found = [*quickly(len(block), payload_of(block), wanted)]
    assert found == [one for one in block if one.op in ops]
    assert list(dict.fromkeys(asked)) == list(
        dict.fromkeys((one.op, one.key, one.headers) for one in block)
    )


def test_recorded_messages_are_of_the_usual_form(lane: str) -> None:
    """What real connectors send is read the fast way; in Python only parts of up to 8 KiB are."""
    for capture in JSON_CAPTURES:
        for message in messages(capture):
            try:
                record = Decoder().decode(message).record
            except Undecodable:
                continue
            if max(len(part or b"") for part in record[11:]) > 8191 and lane == "python":
                continue
            open_block: OpenBlock = change_block.compiled or PatternBlock
            payload = payload_of([record])
            block = open_block(record.topic_partition, record.table, 1, payload, None)
            (found,) = block.usual(2)
            assert found == record
            assert type(found) is ChangeRecord
            assert (block.at, block.left) == (len(payload), 0)
