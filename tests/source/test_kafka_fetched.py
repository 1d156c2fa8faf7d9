"""What a fetched answer holds is read as kafka-python itself reads it, batch by batch."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition as KafkaPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from support.record_batches import (
    CODECS,
    CONTROL,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    TRANSACTIONAL,
    Record,
    batch,
    marker,
    number,
    record,
    with_crc,
)

from cdc_archive.changelog import header_names
from cdc_archive.errors import SourceDamaged
from cdc_archive.source.kafka_fetched import Fetched
from cdc_archive.source.message import NO_TIMESTAMP, Message
from cdc_archive.source.record_batch import KnownHeaders

PARTITION = KafkaPartition("t", 3)
Headers = Sequence[tuple[bytes, bytes | None]]


class Aborted(NamedTuple):
    """As a broker tells of a transaction."""

    producer_id: int
    first_offset: int


class Seen(NamedTuple):
    """What was taken, where the partition stood after each helping, and what was raised."""

    messages: list[Message]
    steps: list[tuple[int, int, int, bool]]
    error: Exception | None = None


def _message(one: Any) -> Message:
    if isinstance(one, Message):
        return one
    at, kind = one.timestamp, one.timestamp_type
    at, kind = (-1 if at is None else at), (NO_TIMESTAMP if kind is None else kind)
    return Message(
        one.topic, one.partition, one.offset, at, kind, one.key, one.value, tuple(one.headers)
    )


def _seen(made: Callable[..., Any], data: bytes, helpings: Sequence[int], **given: Any) -> Seen:
    fetched = made(given.pop("start", 0), PARTITION, MemoryRecords(data), **given)
    messages, steps = [], []
    for most in itertools.cycle(helpings):
        try:
            found = fetched.take(most)
        except SourceDamaged as error:
            assert isinstance(error.__cause__, Exception)
            return Seen(messages, steps, error.__cause__)
        except Exception as error:
            return Seen(messages, steps, error)
        messages += map(_message, found)
        steps.append((len(found), fetched.next_fetch_offset, fetched.leader_epoch, bool(fetched)))
        if not fetched:
            return Seen(messages, steps)
    raise AssertionError


def _ours(data: bytes, helpings: Sequence[int] = (1_000,), **given: Any) -> Seen:
    return _seen(lambda *of, **more: Fetched(KnownHeaders(), *of, **more), data, helpings, **given)


def _theirs(data: bytes, helpings: Sequence[int] = (1_000,), **given: Any) -> Seen:
    return _seen(Fetcher.PartitionRecords, data, helpings, **given)


def _assert_told_alike(ours: Seen, theirs: Seen) -> None:
    """But what a library that decompresses raises is damage, too."""
    if theirs.error is None or isinstance(theirs.error, KafkaError):
        assert type(ours.error) is type(theirs.error)
    else:
        assert isinstance(ours.error, CorruptRecordError)


SOME_HEADERS: list[Headers] = [
    [],
    [(b"a", b"1")],
    [(b"a", b"1"), (b"a", None), (b"", b"")],
    [(b"\xc3\xa9" * 40, bytes(300))],
    [(b"%d" % n, b"") for n in range(70)],
]
CONTENT = st.none() | st.binary(max_size=3) | st.sampled_from([bytes(63), bytes(64), bytes(8_192)])
RECORDS = st.lists(
    st.builds(
        Record,
        st.integers(1, 70) | st.just(9_000),
        st.integers(-2, 70) | st.integers(-(1 << 40), 1 << 40),
        CONTENT,
        CONTENT,
        st.sampled_from(SOME_HEADERS),
        st.sampled_from([0, 0, 1, 127]),
    ),
    max_size=6,
).map(
    lambda steps: [
        one._replace(offset=offset - 1)
        for one, offset in zip(steps, itertools.accumulate(s.offset for s in steps), strict=True)
    ]
)


@st.composite
def _batches(draw: st.DrawFn, base: int) -> tuple[bytes, int]:
    """A batch and the offset after it."""
    producer = draw(st.sampled_from([-1, 7, 8]))
    if producer >= 0 and draw(st.booleans()):
        return marker(base, producer, aborted=draw(st.booleans())), base + 1
    records = draw(RECORDS)
    length = (records[-1].offset if records else 0) + draw(st.integers(1, 3))
    attributes = draw(st.sampled_from([0, LOG_APPEND_TIME]))
    if producer >= 0 and draw(st.booleans()):
        attributes |= TRANSACTIONAL
    data = batch(
        records,
        base,
        attributes=attributes,
        codec=draw(st.sampled_from(list(CODECS))),
        length=length,
        producer=producer,
        epoch=draw(st.integers(0, 3)),
        padding=draw(st.sampled_from([0, 0, 1, 4])),
    )
    return data, base + length


@st.composite
def _answers(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """Batches one after the other, the last maybe cut off, and what else the fetcher is told."""
    data, end = b"", draw(st.integers(0, 200))
    first = end
    for _ in range(draw(st.integers(0, 4))):
        one, end = draw(_batches(end))
        data += one
    cut = draw(st.sampled_from([0, 0, 0, 1, 70]))
    aborted = st.builds(Aborted, st.sampled_from([7, 8]), st.integers(first, end))
    return data[: len(data) - cut], {
        "start": draw(st.integers(first, end)),
        "isolation_level": draw(st.sampled_from(list(IsolationLevel))),
        "aborted_transactions": draw(st.none() | st.lists(aborted, max_size=3)),
    }


HELPINGS = st.lists(st.integers(1, 9), min_size=1, max_size=3)


@given(_answers(), HELPINGS)
def test_an_answer_is_read_as_kafka_python_reads_it(
    answer: tuple[bytes, dict[str, Any]], helpings: list[int]
) -> None:
    """Every field of every message, and after each helping where the partition stands."""
    data, given = answer
    ours, theirs = _ours(data, helpings, **given), _theirs(data, helpings, **given)
    assert ours.messages == theirs.messages
    assert ours.steps == theirs.steps
    _assert_told_alike(ours, theirs)


@given(_answers(), HELPINGS, st.data())
def test_damage_is_told_as_kafka_python_tells_it(
    answer: tuple[bytes, dict[str, Any]], helpings: list[int], draw: st.DataObject
) -> None:
    """Not even the CRC is looked at: ours gives no other message, and never more than theirs."""
    data, given = bytearray(answer[0]), answer[1]
    if not data:
        return
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    checked = draw.draw(st.booleans())
    ours = _ours(bytes(data), helpings, check_crcs=checked, **given)
    theirs = _theirs(bytes(data), helpings, check_crcs=checked, **given)
    both = min(len(ours.messages), len(theirs.messages))
    assert ours.messages[:both] == theirs.messages[:both]
    if "UnicodeDecodeError" in str(theirs.error) or "magic" in str(ours.error):
        return  # a name of any bytes is no damage; what is to come is not read like what is
    _assert_told_alike(ours, theirs)
    late = len(theirs.messages) - len(ours.messages)
    assert late in ((0, 1) if ours.error else (0,))  # they see a cut only after the record


def _with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


RECORD = record(Record(0, value=bytes(20)))
DAMAGED = {
    "fewer records than there are": (-4, struct.pack(">i", 1)),
    "more records than there are": (-4, struct.pack(">i", 3)),
    "a record that goes on in the next batch": (len(RECORD), number(60)),
    "a record longer than it says": (len(RECORD), number(len(RECORD) - 2)),
    "a record that ends before it begins": (len(RECORD), number(-9)),
    "a value that goes on in the next record": (5, number(25)),
    "headers, but none follow": (len(RECORD) - 1, number(1)),
    "fewer headers than none": (len(RECORD) - 1, number(-1)),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_contradicts_itself_is_damage(what: str) -> None:
    """Nothing of the batch after it is taken for part of the one before."""
    at, new = DAMAGED[what]
    data = batch([Record(0, value=bytes(20)), Record(1, value=bytes(20))])
    data = _with_bytes(data, HEADER_BYTES + at, new) + batch([Record(2, value=bytes(90))], 2)
    ours, theirs = _ours(data, check_crcs=False), _theirs(data, check_crcs=False)
    assert isinstance(ours.error, CorruptRecordError)
    assert type(ours.error) is type(theirs.error)
    assert ours.messages == theirs.messages


def test_a_header_that_goes_on_in_the_next_batch_is_damage() -> None:
    """kafka-python hands out what there is of it, and complains after that."""
    one = record(Record(0, headers=[(b"h", bytes(10))]))
    longer = number(len(one) - 1 + 30) + one[1:-11] + number(10 + 30) + bytes(10)
    data = batch([Record(0, headers=[(b"h", bytes(10))])])
    data = _with_bytes(data, HEADER_BYTES, longer) + batch([Record(1)], 1)
    ours, theirs = _ours(data, check_crcs=False), _theirs(data, check_crcs=False)
    assert isinstance(ours.error, CorruptRecordError)
    assert isinstance(theirs.error, CorruptRecordError)
    assert (ours.messages, len(theirs.messages)) == ([], 1)


@given(
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1, 2, 3]),
    st.lists(st.tuples(CONTENT, CONTENT, st.integers(0, 1 << 40)), min_size=1, max_size=4),
    HELPINGS,
)
def test_messages_older_than_batches_are_read(
    magic: int,
    codec: int,
    sent: list[tuple[bytes | None, bytes | None, int]],
    helpings: list[int],
) -> None:
    """Brokers keep what was written before Kafka 0.11 as it was."""
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for offset, (key, value, at) in enumerate(sent):
        builder.append(offset, timestamp=at, key=key, value=value)
    data = bytes(builder.build())
    assert _ours(data, helpings) == _theirs(data, helpings)


@pytest.mark.parametrize("codec", CODECS)
def test_what_kafka_python_writes_is_read(codec: int) -> None:
    """Its own builder, every codec."""
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 20)
    sent = [(n, b"%d" % n, bytes(n), [("h", b"%d" % (n // 20))]) for n in range(200)]
    for offset, key, value, headers in sent:
        builder.append(offset, 1_000 + offset, key, value, headers)
    data = bytes(builder.build())
    ours = _ours(data, [7])
    assert ours == _theirs(data, [7])
    assert [(one.offset, one.key, one.value, list(one.headers)) for one in ours.messages] == sent


def test_equal_headers_are_one_object() -> None:
    """In one batch or in two: whoever comes after need not look into them again."""
    headers = [(b"a", b"1")]
    sent = [Record(n, headers=headers if n % 2 else []) for n in range(4)]
    found = _ours(batch(sent) + batch(sent, 4)).messages
    assert len({id(one.headers) for one in found if one.headers}) == 1


def test_what_is_remembered_of_headers_is_bounded() -> None:
    """Headers that differ in each message, or are large, do not fill the memory."""
    known = KnownHeaders()
    sent = [Record(n, headers=[(b"id", b"%d" % n)]) for n in range(3_000)]
    large = [Record(n, headers=[(b"large", bytes(5_000) + b"%d" % n)]) for n in range(200)]
    fetched = Fetched(known, 0, PARTITION, MemoryRecords(batch(sent) + batch(large, 3_000)))
    assert len(fetched.take(10_000)) == 3_200
    assert sum(map(len, known)) < 1_000_000


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\xed\xa0\x80"])
def test_a_name_that_is_not_utf_8_is_kept(name: bytes) -> None:
    """kafka-python takes its batch for corrupt."""
    sent = batch([Record(0, headers=[(b"ok", None)]), Record(1, headers=[(name, b"v")])])
    assert isinstance(_theirs(sent).error, CorruptRecordError)
    (_, found) = _ours(sent).messages
    assert [(header_names.to_bytes(n), v) for n, v in found.headers] == [(name, b"v")]


def test_what_stands_before_damage_comes_first_and_the_rest_is_dropped() -> None:
    """It is then fetched again; kafka-python's own class stays, and its `poll` never ends."""
    good, bad = batch([Record(0), Record(1)]), bytearray(batch([Record(2)], 2))
    bad[HEADER_BYTES] ^= 1
    fetched = Fetched(KnownHeaders(), 0, PARTITION, MemoryRecords(good + bytes(bad)))
    assert [one.offset for one in fetched.take(9)] == [0, 1]
    with pytest.raises(SourceDamaged, match=r"t\[3\]: .* damaged batch at offset 2: .* wrong CRC"):
        fetched.take(9)
    assert not fetched
    assert fetched.next_fetch_offset == 2


@pytest.mark.parametrize("codec", [one for one in CODECS if one])
def test_a_batch_that_cannot_be_decompressed_is_damage(codec: int) -> None:
    """Though its CRC is right: whatever the library that decompresses says of it."""
    whole = batch([Record(0, value=bytes(200))], codec=codec)
    cut = with_crc(whole[: HEADER_BYTES + 6] + bytes(len(whole) - HEADER_BYTES - 6))
    with pytest.raises(SourceDamaged, match="a damaged batch at offset 0: ") as told:
        Fetched(KnownHeaders(), 0, PARTITION, MemoryRecords(cut)).take(9)
    assert told.value.may_be_lost


def test_a_batch_of_an_unknown_compression_is_not_told_as_damage() -> None:
    """It is whole, and no loss to be accepted."""
    strange = bytearray(batch([Record(0)]))
    strange[HEADER_BYTES - 39] |= 5
    fetched = Fetched(KnownHeaders(), 0, PARTITION, MemoryRecords(with_crc(bytes(strange))))
    with pytest.raises(SourceDamaged, match="cannot read the batch at offset 0") as told:
        fetched.take(9)
    assert isinstance(told.value.__cause__, UnsupportedCodecError)
    assert not told.value.may_be_lost


def test_a_control_batch_is_nobodys_message() -> None:
    """Whatever is in it, and if nobody asked for committed messages only."""
    data = batch([Record(0, key=bytes(4))], attributes=CONTROL) + batch([Record(0)], 1)
    assert [one.offset for one in _ours(data).messages] == [1]
