"""Told apart by the message itself; what is nothing we know is set aside with a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from support import strategies
from support.build import HOUR_16_MS, change, message
from support.captures import value

from cdc_archive.decode.decoder import Decoder, value_of
from cdc_archive.decode.envelope import cut_parts, quick_parts
from cdc_archive.errors import Undecodable
from cdc_archive.source.message import Message

DECODER = Decoder()


@given(strategies.messages)
def test_a_message_comes_back_whole_or_is_set_aside(message: Message) -> None:
    """Whatever arrives, decoding gives back each byte of the value or a reason."""
    try:
        decoded = DECODER.decode(message)
    except Undecodable as error:
        assert error.reason
        assert error.detail
    else:
        assert value_of(decoded.record, decoded.value_schema) == message.value


@given(strategies.envelopes())
def test_the_quick_way_and_the_thorough_way_agree(payload: bytes) -> None:
    """Where the quick way takes an envelope, it cuts it just as the thorough one does."""
    quick = quick_parts(payload)
    if quick is not None:
        assert quick == (json.loads(payload)["op"], cut_parts(payload.decode()))


def test_the_quick_way_takes_what_debezium_writes() -> None:
    """A real row change does not need the thorough way."""
    assert quick_parts(value("pg_jp", ".app.api_key", "u")) is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty_value"),
        (b"\x00\x00\x00\x00\x07abc", "confluent_avro"),
        (b"hello", "not_json"),
        (b'{"op":"c"', "not_json"),
        (b'{"op":"c"} {}', "not_json"),
        (b'{"op":"c","after":{"a":"\x01"},"source":{}}', "not_json"),
        (b'{"op":"c","after":\xff}', "invalid_utf8"),
        (b'{"before":1,"after":1,"source":{},"transaction":1,"op":"\xff"}', "invalid_utf8"),
        (b"[1,2]", "not_an_object"),
        (b"17", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"after":' + b"[" * 200_000 + b"]" * 200_000 + b',"op":"c"}', "too_deep"),
        (b'{"op":"c","after":{"a":1},"after":{"a":2}}', "repeated_member"),
        (b'{"op":"x","after":{},"source":{}}', "unknown_op"),
        (b'{"op":7,"after":{},"source":{}}', "unknown_op"),
        (b'{"schema":null,"payload":null}', "null_payload"),
        (
            b'{"status":"MAYBE","id":"1:2","event_count":null,"data_collections":null}',
            "unknown_transaction_status",
        ),
        (b'{"id":1,"name":"a row of something"}', "not_debezium"),
        (b"{}", "not_debezium"),
    ],
)
def test_what_is_no_debezium_message_is_set_aside(text: bytes, reason: str) -> None:
    """Each kind of undecodable value has its reason."""
    with pytest.raises(Undecodable) as caught:
        DECODER.decode(message(text))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "row",
    [
        '{"n":NaN,"i":-Infinity}',
        '{"n":12345678901234567890.123456789012345678901234567890}',
        '{"n":' + "9" * 6000 + "}",
        '{"n":1e999999}',
        '{"a":1,"a":2}',
        '{"s":"\\ud800"}',
        '{"s":"\\u00e9 \U0001f680"}',
        '{  "spaces" :   1  }',
        "{}",
        "null",
        '"a row that is text (MongoDB)"',
    ],
)
def test_a_row_image_is_kept_to_the_letter(row: str) -> None:
    """Numbers, repeated names, escapes and white space stay as they arrived."""
    text = '{"before":null,"after":%s,"source":{"ts_ms":1},"transaction":null,"op":"c"}' % row
    record = DECODER.decode(message(text.encode())).record
    assert record.after == row.encode()
    assert value_of(record, None) == text.encode()


def test_null_and_absent_stay_apart() -> None:
    """A missing member is None, a null one is the text null."""
    record = DECODER.decode(message(b'{"op":"d","before":null,"source":{}}')).record
    assert (record.before, record.after, record.transaction) == (b"null", None, None)


def test_unknown_envelope_fields_are_kept() -> None:
    """A field that no version of Debezium has yet is in the envelope text."""
    text = change()[:-1] + b',"brand_new":{"x":[1,2]}}'
    record = DECODER.decode(message(text)).record
    assert record.envelope is not None
    assert record.envelope.endswith(b'"brand_new":{"x":[1,2]}}')


def test_a_tombstone_is_a_record() -> None:
    """A null value is kept with its key, under the topic's name and the Kafka time's hour."""
    record = DECODER.decode(message(None)).record
    assert (record.op, record.table, record.envelope) == ("tombstone", "pg.app.t", None)
    assert (record.event_time_us, record.hour_source) == (HOUR_16_MS * 1000, "kafka")


def test_a_null_key_and_an_empty_key_stay_apart() -> None:
    """Kafka tells them apart, so does the record."""
    assert DECODER.decode(message(None, key=None)).record.key is None
    assert DECODER.decode(message(None, key=b"")).record.key == b""


@pytest.mark.parametrize("ts_ms", [0, -1, 1_771_516_800, 1_771_516_800_000_000_000, 10**30])
def test_an_absurd_source_time_falls_back_to_the_envelope(ts_ms: int) -> None:
    """Zero, seconds, nanoseconds: never the year 1970, never far ahead."""
    text = b'{"after":{},"source":{"ts_ms":%d},"op":"c","ts_ms":%d}' % (ts_ms, HOUR_16_MS)
    record = DECODER.decode(message(text, timestamp=HOUR_16_MS + 7)).record
    assert (record.event_time_us, record.hour_source) == (HOUR_16_MS * 1000, "envelope")


def test_without_any_time_the_hour_is_unknown() -> None:
    """No clock is asked."""
    record = DECODER.decode(message(b'{"after":{},"op":"c"}', timestamp=-1)).record
    assert (record.event_time_us, record.hour_source) == (None, "none")


def test_microseconds_are_kept_where_the_source_gives_them() -> None:
    """ts_us refines ts_ms."""
    text = b'{"after":{},"source":{"ts_ms":1771516800000,"ts_us":1771516800000123},"op":"c"}'
    assert DECODER.decode(message(text)).record.event_time_us == 1771516800000123


def test_a_schema_change_of_mysql_is_a_record() -> None:
    """DDL on the connector's own topic has a source and no op."""
    text = b'{"source":{"ts_ms":1771516800000,"db":"d"},"ts_ms":1,"databaseName":"d","ddl":"ALTER"}'
    record = DECODER.decode(message(text, topic="my")).record
    assert (record.op, record.table, record.hour_source) == ("schema_change", "my", "source")


def test_a_flattened_row_without_marks_needs_the_setting() -> None:
    """decode.flattened_topics says what the message does not."""
    row = message(b'{"id":1,"name":"x"}', topic="flat.app.t")
    decoded = Decoder(["flat\\..*"]).decode(row).record
    assert (decoded.op, decoded.after, decoded.table) == (
        "row",
        b'{"id":1,"name":"x"}',
        "flat.app.t",
    )
    with pytest.raises(Undecodable):
        Decoder(["flat"]).decode(row)


def test_a_flattened_delete_is_a_before_image() -> None:
    """rewrite mode leaves the deleted row, marked."""
    text = b'{"id":1,"__deleted":"true","__op":"d","__db":"lab","__table":"t"}'
    record = DECODER.decode(message(text)).record
    assert (record.op, record.before, record.after) == ("d", text, None)
    assert record.table == "lab.t"


def test_a_row_with_columns_schema_and_payload_is_no_wrapper() -> None:
    """A flattened row may have any columns."""
    text = b'{"schema":"app","payload":"x","__op":"c"}'
    assert DECODER.decode(message(text)).record.after == text


def test_a_name_that_is_not_valid_unicode_still_has_a_place() -> None:
    """A lone surrogate in a table name cannot be written as UTF-8: it is escaped."""
    text = b'{"after":{},"source":{"table":"\\ud800"},"op":"c"}'
    assert DECODER.decode(message(text)).record.table == "\\ud800"
