"""Every recorded message decodes, and comes back byte for byte."""

from __future__ import annotations

from collections import Counter

import pytest
from support.captures import JSON_CAPTURES, messages

from cdc_archive.decode.decoder import Decoder, value_of
from cdc_archive.errors import Undecodable

DECODER = Decoder()


@pytest.mark.parametrize("name", JSON_CAPTURES)
def test_every_value_comes_back_byte_for_byte(name: str) -> None:
    """The parts and the envelope text give back the value, schema wrapper included."""
    for message in messages(name):
        decoded = DECODER.decode(message)
        assert value_of(decoded.record, decoded.value_schema) == message.value
        assert decoded.record.key == message.key
        assert decoded.record.headers == message.headers


def ops(name: str) -> Counter[str]:
    return Counter(DECODER.decode(message).record.op for message in messages(name))


WORKLOAD = {
    "c": 93, "u": 31, "d": 11, "r": 51, "t": 3, "m": 5,
    "tombstone": 11, "begin": 65, "end": 65, "heartbeat": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pg_jp", WORKLOAD),
        ("pg_js", WORKLOAD | {"heartbeat": 4}),
        ("pg_fl", {op: count for op, count in WORKLOAD.items() if op != "t"}),
        ("pg_dup", {"c": 2603, "u": 40, "r": 24, "begin": 27, "end": 26}),
    ],
)
def test_every_message_is_told_for_what_it_is(name: str, expected: dict[str, int]) -> None:
    """The counts by op are those that the recorded workload made."""
    assert ops(name) == expected


def test_the_same_workload_is_read_alike_with_and_without_schemas() -> None:
    """pg_js and pg_jp are the same SQL: tables and ops in the same order on each table's topic."""

    def told(name: str, prefix: str) -> list[tuple[str, str, str]]:
        records = [DECODER.decode(message).record for message in messages(name)]
        return sorted(
            (record.topic.removeprefix(prefix), str(record.offset), record.op)
            for record in records
            if "heartbeat" not in record.topic
        )

    assert told("pg_js", "js") == told("pg_jp", "jp")


def test_rows_are_placed_by_the_table_that_the_message_names() -> None:
    """Envelopes name db, schema and table; flattened rows what the connector added."""
    by_topic = {m.topic: DECODER.decode(m).record for m in messages("pg_jp") if m.value}
    assert by_topic["jp.app.user"].table == "lab.app.user"
    assert by_topic["jp.transaction"].table == "jp.transaction"
    assert by_topic["jp.message"].table == "jp.message"
    flat = {m.topic: DECODER.decode(m).record for m in messages("pg_fl") if m.value}
    assert flat["fl.app.user"].table == "app.user"


def test_every_hour_is_taken_from_the_database_where_it_tells_one() -> None:
    """Row changes and logical messages use source time, transaction metadata the connector's."""
    for message in messages("pg_jp"):
        record = DECODER.decode(message).record
        expected = {"tombstone": "kafka", "begin": "envelope", "end": "envelope"}
        assert record.hour_source == expected.get(
            record.op, "envelope" if record.op == "heartbeat" else "source"
        )


def test_avro_messages_are_set_aside_for_a_named_reason() -> None:
    """Confluent Avro is not decoded, and not lost: all but its tombstones are quarantined."""
    reasons: Counter[str] = Counter()
    for message in messages("pg_av"):
        try:
            reasons[DECODER.decode(message).record.op] += 1
        except Undecodable as error:
            reasons[error.reason] += 1
    assert reasons == {"confluent_avro": 329, "tombstone": 11}
