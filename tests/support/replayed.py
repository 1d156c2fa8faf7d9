"""Replaying captures without an archive: decoded records as streams."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import jsonschema

from cdc_archive import schema_files
from cdc_archive.audit import mapping
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.history.fold import MemoryStates
from cdc_archive.replay.report import Report
from cdc_archive.replay.run import Asked, replay
from cdc_archive.sinks.memory import MemorySink
from cdc_archive.source.message import Message
from support.captures import messages

EVERYTHING = Asked()
OPENAI = mapping.load(schema_files.root() / "mappings/openai.toml")


def streams(log: Iterable[Message]) -> list[list[ArchivedRecord]]:
    """The records of each topic partition, in offset order."""
    decoder = Decoder()
    out: dict[TopicPartition, list[ArchivedRecord]] = {}
    for message in log:
        decoded = decoder.decode(message)
        archived = ArchivedRecord(decoded.record, "file", 0, decoded.value_schema)
        out.setdefault(decoded.record.topic_partition, []).append(archived)
    return [*out.values()]


def replayed(
    log: Iterable[Message],
    asked: Asked = EVERYTHING,
    rules: mapping.Mapping = OPENAI,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Report]:
    """Events, their evidence, and the report."""
    sink = MemorySink()
    report = replay(streams(log), rules, MemoryStates(), asked, sink)
    return [one.event for one in sink.events], [one.evidence for one in sink.events], report


@cache
def of_capture(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Report]:
    """`replayed` of a capture."""
    return replayed(messages(name))


@cache
def validators() -> tuple[jsonschema.protocols.Validator, ...]:
    """OpenAI's schema of an audit-log entry, and the strict form of it."""
    made = []
    for name in ("audit_log.schema.json", "audit_log.strict.schema.json"):
        schema = json.loads(schema_files.read(f"openai/{name}"))
        made.append(jsonschema.Draft202012Validator(schema))
    return tuple(made)
