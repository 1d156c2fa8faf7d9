"""The recorded Debezium streams of tests/captures, as messages."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from pathlib import Path

from cdc_archive.source.message import CREATE_TIME, LOG_APPEND_TIME, NO_TIMESTAMP, Message

FOLDER = Path(__file__).parent.parent / "captures"
JSON_CAPTURES = ("pg_js", "pg_jp", "pg_fl", "pg_dup")
ALL_CAPTURES = (*JSON_CAPTURES, "pg_av")
_TYPES = {
    "CreateTime": CREATE_TIME,
    "LogAppendTime": LOG_APPEND_TIME,
    "NoTimestampType": NO_TIMESTAMP,
}


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@cache
def messages(name: str) -> tuple[Message, ...]:
    """All messages of one capture, in the order of the file."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt") as lines:
        return tuple(_message(json.loads(line)) for line in lines)


def _message(line: dict[str, object]) -> Message:
    return Message(
        topic=line["topic"],
        partition=line["partition"],
        offset=line["offset"],
        timestamp=line["timestamp"],
        timestamp_type=_TYPES[line["timestamp_type"]],
        key=_bytes(line["key"]),
        value=_bytes(line["value"]),
        headers=tuple((name, _bytes(value)) for name, value in line["headers"]),
    )


def value(name: str, topic_suffix: str, op: str) -> bytes:
    """The first value of a capture on a topic that ends so, with this op."""
    for message in messages(name):
        if message.topic.endswith(topic_suffix) and f'"op":"{op}"'.encode() in (
            message.value or b""
        ):
            assert message.value is not None
            return message.value
    raise LookupError((name, topic_suffix, op))
