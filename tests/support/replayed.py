"""Replaying captures without an archive: decoded records as streams."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from operator import itemgetter
from typing import Any

import jsonschema

from cdc_archive import schema_files
from cdc_archive.audit import mapping
from cdc_archive.audit.build import Builder
from cdc_archive.audit.context import Context, NoContext
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.history.fold import Fold
from cdc_archive.history.order import ChangeStream, by_connector, in_commit_order
from cdc_archive.history.position import Change
from cdc_archive.history.redelivery import MemorySeen, Redeliveries
from cdc_archive.history.states import MemoryStates
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.report import Report
from cdc_archive.replay.run import read_row
from cdc_archive.replay.telling import Telling
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


def of_records(given: Iterable[Iterable[ArchivedRecord]]) -> dict[str, list[ChangeStream]]:
    """The records of each topic partition as streams by connector, numbered by their place."""
    logs = sorted(
        (log for one in given if (log := [*one])), key=lambda log: log[0].record.topic_partition
    )
    return by_connector(ChangeStream(number, log) for number, log in enumerate(logs))


def in_order(given: Iterable[Iterable[ArchivedRecord]]) -> list[Change]:
    """The changes of each connector in the order of commits, one connector after the other."""
    return [change for changes in of_records(given).values() for change in in_commit_order(changes)]


def replayed(
    log: Iterable[Message],
    asked: Asked = EVERYTHING,
    rules: mapping.Mapping = OPENAI,
    context: Context | None = None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Report]:
    """Events, their evidence, and the report."""
    return replayed_streams(streams(log), asked, rules, context)


def replayed_streams(
    given: Iterable[Iterable[ArchivedRecord]],
    asked: Asked = EVERYTHING,
    rules: mapping.Mapping = OPENAI,
    context: Context | None = None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Report]:
    """`replayed` of the records of each topic partition, all of one connector."""
    report, read, told = Report(), read_row(rules), []
    builder = Builder(rules, context or NoContext())
    for changes in of_records(given).values():
        fold, redeliveries = Fold(MemoryStates(), read), Redeliveries(MemorySeen())
        telling = Telling(fold, redeliveries, builder, asked, report)
        of_connector = [one for change in in_commit_order(changes) for one in telling.take(change)]
        of_connector += telling.close()
        told += sorted(of_connector, key=itemgetter(0, 1))
    return [one.event.event for one in told], [one.event.evidence for one in told], report


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
