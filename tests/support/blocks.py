"""The same block of changes by what reads it quickly and by the general decoder."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain

import fastavro

from cdc_archive.archive.format import avro, change_block, container
from cdc_archive.archive.format.pattern_block import Glance
from cdc_archive.changelog.record import ChangeRecord

SCHEMA = container.reading_schema("change_record.avsc")
METADATA = {"cdc.topic": b"pg.app.t", "cdc.partition": b"0", "cdc.folder": b"d.s.t"}
"""Of the file that holds the block."""


def payload_of(block: Iterable[ChangeRecord]) -> bytes:
    return b"".join(avro.change(avro.position(one.topic_partition), one) for one in block)


def quickly(
    count: int, payload: bytes, wanted: Glance | None = None, metadata: dict[str, bytes] = METADATA
) -> Iterator[ChangeRecord]:
    return chain.from_iterable(change_block.records(metadata, count, payload, wanted))


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


def is_read_alike(count: int, payload: bytes) -> bool:
    """Whether it gives the same records and the same refusal."""
    ours, plain = outcome(quickly(count, payload)), outcome(by_the_general_decoder(count, payload))
    return ours == plain or (count > len(payload) and ours == ["damaged"])
