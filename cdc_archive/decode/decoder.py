"""From a Kafka message to a change record, or to the reason why it is none. Pure.

Told apart by the message itself, in this order: null value (tombstone), Connect's schema wrapper,
change envelope, transaction metadata, schema change, heartbeat, flattened row. Row images are not
parsed. What is none of these raises `Undecodable`, and the caller keeps its bytes in quarantine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from cdc_archive.changelog.hour import KAFKA_TIME, NO_TIME
from cdc_archive.changelog.record import (
    OP_BEGIN,
    OP_END,
    OP_HEARTBEAT,
    OP_MESSAGE,
    OP_SCHEMA_CHANGE,
    OP_TOMBSTONE,
    ROW_OPS,
    ChangeRecord,
    JsonText,
)
from cdc_archive.decode import flattened
from cdc_archive.decode.described import (
    EventTime,
    event_time,
    integer,
    source_block,
    table_name,
    text,
)
from cdc_archive.decode.envelope import (
    AFTER,
    BEFORE,
    Parts,
    cut_parts,
    quick_parts,
    quick_unwrap,
    quick_wrap,
    refuse_control_characters,
    restore,
    unwrap,
    wrap,
)
from cdc_archive.decode.json_text import members, scalar
from cdc_archive.errors import Undecodable
from cdc_archive.source.message import Message

_OPS: Final = ROW_OPS | {OP_MESSAGE}
_CONFLUENT_MAGIC: Final = 0
_DETAIL_CHARS: Final = 500
_TRANSACTION_FIELDS: Final = frozenset({"status", "id", "event_count", "data_collections"})
_HEARTBEAT_FIELDS: Final = frozenset({"ts_ms", "ts_us", "ts_ns"})


class Decoded(NamedTuple):
    """A change record, and the Connect schema that came with it (None if there was none)."""

    record: ChangeRecord
    value_schema: JsonText | None


class _Told(NamedTuple):
    """What a payload turned out to be."""

    op: str
    table: str
    time: EventTime
    parts: Parts


class Decoder:
    """Decodes the messages of all topics.

    Args:
        flattened_topics: patterns (matching the whole topic name) of topics whose flattened rows
            bear no mark of Debezium.
    """

    def __init__(self, flattened_topics: Sequence[str] = ()) -> None:
        self._flattened = [re.compile(pattern) for pattern in flattened_topics]

    def decode(self, message: Message) -> Decoded:
        """The change record of a message.

        Raises:
            Undecodable: with one of the reasons listed in schemas/ARCHIVE_FORMAT.md, Quarantine.
        """
        try:
            return self._decode(message)
        except Undecodable:
            raise
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"[:_DETAIL_CHARS]
            raise Undecodable("decoder_failed", detail) from error

    def _decode(self, message: Message) -> Decoded:
        value = message.value
        if value is None:
            return Decoded(_tombstone(message), None)
        _refuse_other_formats(value)
        wrapped = quick_unwrap(value)
        quick = quick_parts(value if wrapped is None else wrapped[1])
        if quick is None or quick[0] not in _OPS or not _decodes(value):
            return self._decode_any(message, _decoded_text(value))
        record = _record(message, _envelope(message, *quick))
        if wrapped is None:
            return Decoded(record, None)
        assert record.envelope is not None
        return Decoded(record._replace(envelope=quick_wrap(record.envelope)), wrapped[0])

    def _decode_any(self, message: Message, value: str) -> Decoded:
        refuse_control_characters(value)
        wrapped = unwrap(value)
        if wrapped is None:
            return Decoded(_record(message, self._tell(message, value)), None)
        wrapper, schema, payload = wrapped
        if payload == "null":
            raise Undecodable("null_payload", "a schema around a null payload")
        told = self._tell(message, payload)
        parts = told.parts._replace(envelope=wrap(wrapper, told.parts.envelope))
        return Decoded(_record(message, told._replace(parts=parts)), schema.encode())

    def _tell(self, message: Message, payload: str) -> _Told:
        found = members(payload)
        values = {member.name: payload[member.start : member.end] for member in found}
        if "op" in values and values.keys() & {"before", "after", "source"}:
            quick = quick_parts(payload.encode())
            op, parts = quick or (text(scalar(values["op"])), cut_parts(payload))
            if op not in _OPS:
                raise Undecodable("unknown_op", f"op is {values['op'][:40]}")
            return _envelope(message, op, parts)
        if values.keys() >= _TRANSACTION_FIELDS:
            return _transaction(message, values, payload)
        if "source" in values and values.keys() & {"ddl", "tableChanges"}:
            return _schema_change(message, values, payload)
        if _is_heartbeat(message, values):
            when = event_time(None, None, integer(scalar(values["ts_ms"])), message.timestamp)
            return _Told(OP_HEARTBEAT, message.topic, when, _whole(payload))
        return self._flattened_row(message, values, payload)

    def _flattened_row(self, message: Message, values: dict[str, str], payload: str) -> _Told:
        row = {name: scalar(values[name]) for name in values if name.startswith("__")}
        marked = flattened.is_marked(row, message.headers)
        if not marked and not any(p.fullmatch(message.topic) for p in self._flattened):
            raise Undecodable(
                "not_debezium",
                "neither an envelope nor marked as a flattened row; if the topic is flattened "
                "without added fields, name it in decode.flattened_topics",
            )
        op = flattened.operation(row, message.headers)
        image = payload.encode()
        parts = (
            Parts(image, None, None, None, BEFORE.encode())
            if op == "d"
            else Parts(None, image, None, None, AFTER.encode())
        )
        table = flattened.table(row, message.headers, message.topic)
        when = flattened.time(row, message.headers, message.timestamp)
        return _Told(op, table, when, parts)


def value_of(record: ChangeRecord, value_schema: JsonText | None) -> bytes | None:
    """The value of the message that a record was decoded from, byte for byte; None: a tombstone."""
    if record.envelope is None:
        return None
    return restore(
        record.envelope,
        record.before,
        record.after,
        record.source,
        record.transaction,
        value_schema,
    )


def _refuse_other_formats(value: bytes) -> None:
    if not value:
        raise Undecodable("empty_value", "a value of zero bytes")
    if value[0] == _CONFLUENT_MAGIC:
        raise Undecodable(
            "confluent_avro", "begins with byte 0, the mark of Confluent's wire format"
        )


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Undecodable("invalid_utf8", f"byte {error.start} of the value") from None


def _record(message: Message, told: _Told) -> ChangeRecord:
    return ChangeRecord(
        *message[:5],
        message.headers,
        message.key,
        told.op,
        told.time.us,
        told.time.found_in,
        told.table,
        *told.parts,
    )


def _tombstone(message: Message) -> ChangeRecord:
    when = event_time(None, None, None, message.timestamp)
    return ChangeRecord(
        *message[:5],
        message.headers,
        message.key,
        OP_TOMBSTONE,
        when.us,
        KAFKA_TIME if when.us is not None else NO_TIME,
        message.topic,
        None,
        None,
        None,
        None,
        None,
    )


def _envelope(message: Message, op: str, parts: Parts) -> _Told:
    source = source_block(parts.source)
    table = table_name(source.db, source.schema, source.table or source.collection, message.topic)
    when = event_time(source.ts_ms, source.ts_us, None, message.timestamp)
    if when.found_in != "source":
        when = event_time(None, None, _envelope_ms(parts.envelope), message.timestamp)
    return _Told(op, table, when, parts)


def _envelope_ms(envelope: JsonText) -> int | None:
    match = re.search(rb'"ts_ms"\s*:\s*(\d{1,18})\b', envelope)
    return int(match[1]) if match else None


def _transaction(message: Message, values: dict[str, str], payload: str) -> _Told:
    status = text(scalar(values["status"]))
    op = {"BEGIN": OP_BEGIN, "END": OP_END}.get(status or "")
    if op is None:
        raise Undecodable("unknown_transaction_status", f"status is {values['status'][:40]}")
    when = event_time(None, None, integer(scalar(values.get("ts_ms"))), message.timestamp)
    return _Told(op, message.topic, when, _whole(payload))


def _schema_change(message: Message, values: dict[str, str], payload: str) -> _Told:
    parts = cut_parts(payload)
    source = source_block(parts.source)
    when = event_time(
        source.ts_ms, source.ts_us, integer(scalar(values.get("ts_ms"))), message.timestamp
    )
    return _Told(OP_SCHEMA_CHANGE, message.topic, when, parts)


def _is_heartbeat(message: Message, values: dict[str, str]) -> bool:
    if not values or "ts_ms" not in values or not values.keys() <= _HEARTBEAT_FIELDS:
        return False
    by_key = message.key is not None and b'"serverName"' in message.key
    return by_key or message.topic.startswith("__debezium-heartbeat")


def _whole(payload: str) -> Parts:
    return Parts(None, None, None, None, payload.encode())
