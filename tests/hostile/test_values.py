"""JSON that parsers stumble over, in every place of a message: kept, shown, folded, never fatal."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from support.build import HOUR_16_MS, message
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.reader import as_json
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import value_of
from cdc_archive.decode.images import key_value, parsed, row
from cdc_archive.history.fold import canonical
from cdc_archive.replay import run
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.report import Report
from cdc_archive.sinks.jsonl import JsonLines
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from hostile.test_names import MAPPING

ODD = {
    "exponent": b"1e999999",
    "negative exponent": b"-1e-999999",
    "absurd exponent": b"1e99999999999999999999",
    "long fraction": b"0." + b"1" * 100_000,
    "5,000 digits": b"9" * 5_000,
    "a million digits": b"9" * 1_000_000,
    "minus a million digits": b"-" + b"9" * 1_000_000,
    "minus zero": b"-0",
    "minus zero fraction": b"-0.0",
    "2^63": b"9223372036854775808",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "leading zero": b"01",
    "depth 500": b"[" * 500 + b"]" * 500,
    "depth 900": b'{"a":' * 900 + b"1" + b"}" * 900,
    "depth 10,000": b"[" * 10_000 + b"]" * 10_000,
    "depth 1,000,000": b"[" * 1_000_000 + b"]" * 1_000_000,
    "repeated member": b'{"a":1,"a":2,"a":{"b":1,"b":2}}',
    "empty name": b'{"":{"":""}}',
    "lone surrogate": b'"\\ud800 \\udfff"',
    "lone surrogate as a name": b'{"\\udc00":1}',
    "escaped NUL": b'"\\u0000"',
    "escaped control characters": b'"\\u0001\\u0002\\u0003\\u0004\\u0005\\u001b[31m"',
    "raw control character": b'"\x01"',
    "raw NUL": b'"\x00"',
    "raw DEL and C1": '"\x7f\x9b\u202e"'.encode(),
    "placeholder of Debezium": b'"__debezium_unavailable_value"',
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "cut escape": b'"\\u12"',
    "byte order mark": b"\xef\xbb\xbf1",
    "nothing": b"",
    "comma": b",",
    "text of a number": b'"1e999999"',
}
FULL = (
    b'{"before":%b,"after":{"id":1,"v":%b},"source":{"ts_ms":1771516800000,"db":"d","table":"t"},'
    b'"transaction":null,"op":"%b"}'
)


def everywhere(odd: bytes) -> Iterator[Message]:
    """Messages with this text in each place."""
    good = FULL % (b"null", b"1", b"c")
    places = [
        FULL % (b"null", odd, b"c"),
        FULL % (b'{"id":1,"v":%b}' % odd, odd, b"u"),
        b'{"before":{"v":%b},"after":null,"source":{},"transaction":null,"op":"d"}' % odd,
        b'{"op":"c", "after":{"v":%b}, "source":{"ts_ms":1}}' % odd,
        b'{"op":"c","after":%b,"source":{"ts_ms":%b,"lsn":%b,"sequence":%b}}' % ((odd,) * 4),
        b'{"op":"c","after":{},"source":{"file":"b.9","pos":%b,"row":%b,"table":%b}}'
        % ((odd,) * 3),
        b'{"op":"c","after":{},"transaction":{"id":%b,"total_order":%b}}' % (odd, odd),
        b'{"op":%b,"after":{}}' % odd,
        b'{"op":"c","after":{},"ts_ms":%b,"new":%b}' % (odd, odd),
        b'{"id":1,"v":%b,"__op":"c","__lsn":%b,"__ts_ms":%b,"__table":%b}' % ((odd,) * 4),
        b'{"status":%b,"id":%b,"event_count":%b,"data_collections":null}' % ((odd,) * 3),
        b'{"schema":{"x":%b},"payload":%b}' % (odd, good),
        b'{"schema":{},"payload":%b}' % (FULL % (b"null", odd, b"c")),
        b'{"source":{},"ddl":%b,"ts_ms":%b}' % (odd, odd),
        odd,
        b"\xef\xbb\xbf" + good,
        good.decode().encode("utf-16"),
        b'{"op":"c","op":"u","after":{"v":%b},"source":{"db":"a","db":"b"}}' % odd,
    ]
    for value in places:
        yield message(value)
    yield message(good, key=odd)
    yield message(good, key=b'{"id":%b}' % odd)
    yield message(None, key=odd)
    names = ("h", "__op", "__table", "__source_ts_ms", "__debezium.newkey", "__debezium.oldkey")
    yield message(b'{"id":1}', headers=tuple((name, odd) for name in names))
    yield message(FULL % (b"null", b"1", b"u"), headers=tuple((name, odd) for name in names))


@pytest.mark.parametrize("name", ODD)
def test_odd_json_is_kept_shown_and_replayed(name: str) -> None:
    """Each message comes back whole from its file; cat and replay get through."""
    sent = [one._replace(offset=at) for at, one in enumerate(everywhere(ODD[name]))]
    store = MemoryStore()
    Workshop(SimulatedSource(sent), store).run()
    reader = ArchiveReader(store)
    assert read_whole(reader) == sent
    for archived in reader.scan(TopicPartition("pg.app.t", 0)):
        json.loads(msgspec.json.encode(as_json.view(archived)), parse_int=str)
    replayed(reader)


def read_whole(reader: ArchiveReader) -> list[Message]:
    """All messages that the archive holds, as they were received."""
    (partition,) = reader.partitions()
    found = [
        Message(*one.record[:5], one.record.key, value_of(*one[::3]), one.record.headers)
        for one in reader.scan(partition)
    ]
    files = [file for commit in reader.commits(partition) for file in commit.files]
    for file in files:
        if file.kind == "quarantine":
            found += [one for one, _, _ in reader.quarantined(file)]
    return sorted(found, key=lambda one: one.offset)


def replayed(reader: ArchiveReader) -> Report:
    out = io.BytesIO()
    order = run.Order(lambda: reader, MAPPING, Asked())
    with TemporaryDirectory() as folder:
        report = run.replay(order, JsonLines(out), Path(folder))
    assert out.getvalue().count(b"\n") == report.total
    return report


def test_a_row_with_a_number_of_5000_digits_is_in_the_history() -> None:
    """Python refuses to make an int of it; the row is not left out for that."""
    value = row(b'{"n":' + b"9" * 5_000 + b"}")
    assert value is not None
    assert str(value["n"]) == "9" * 5_000


def test_a_row_that_cannot_be_read_is_counted() -> None:
    """The account of a replay is not complete without it."""
    deep = b"[" * 500 + b"]" * 500
    store = MemoryStore()
    Workshop(SimulatedSource([message(FULL % (b"null", deep, b"c"))]), store).run()
    report = replayed(ArchiveReader(store))
    assert report.unreadable_rows == 1
    assert not report.complete


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"id":1e999998}', b'{"id":1e999999}'),
        (b'{"id":0.1234567890123456789}', b'{"id":0.1234567890123456788}'),
        (b'{"id":"\\ud800"}', b'{"id":"\\ud801"}'),
        (b"9" * 5_000, b"9" * 5_001),
    ],
)
def test_keys_that_a_float_cannot_tell_apart_are_two_rows(one: bytes, other: bytes) -> None:
    """Else one row would take the other's history."""
    assert canonical(one) != canonical(other)


def test_a_key_of_ordinary_fractions_reads_as_ever() -> None:
    """Its text is part of what event ids are made from."""
    assert canonical(b'{"b":1.50,"a":1}') == '{"a":1,"b":1.5}'


@pytest.mark.parametrize("text", [b"1e200001", b"1e-200001", b"9" * 200_001, b"1e" + b"9" * 400])
def test_an_absurd_number_stays_text(text: bytes) -> None:
    """So that nobody writes out its digits."""
    assert parsed(text) == text.decode()


@pytest.mark.parametrize("depth", [99, 100, 101, 500, 900, 10_000, 1_000_000])
def test_rows_and_keys_are_read_to_a_depth_of_one_hundred(depth: int) -> None:
    """Deeper ones are no rows, and keys are text."""
    text = b'{"a":' * depth + b"1" + b"}" * depth
    assert (row(text) is not None) == (depth <= 100)
    assert isinstance(key_value(text), str) == (depth > 100)


def test_a_total_order_that_is_no_number_orders_nothing() -> None:
    """Two such changes of one time can still be told apart and ordered."""
    sent = [
        message(
            b'{"before":null,"after":{"id":1},"source":{"ts_ms":%d},'
            b'"transaction":{"id":"7","total_order":%b},"op":"c"}' % (HOUR_16_MS, order),
            offset=at,
        )
        for at, order in enumerate((b"1", b'"x"', b"{}", b"[1]", b"1.5", b"true", b"2"))
    ]
    store = MemoryStore()
    Workshop(SimulatedSource(sent), store).run()
    assert replayed(ArchiveReader(store)).total == 7
