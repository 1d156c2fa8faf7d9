"""The change records of a block of a data file, most of them read without an Avro library.

A record of the usual form is taken apart by `compiled_block.pyx`, or by `pattern_block.py` where
nothing could be compiled. Any other, damage too, is left to the general decoder, which takes ten
times as long: tests hold the three side by side.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

import fastavro

from cdc_archive.archive.format.container import reading_schema
from cdc_archive.archive.format.pattern_block import Glance, OpenBlock, PatternBlock, pairs
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord

AT_ONCE: Final = 64
"""Records that are handed out together: each costs less, and few are held."""


def _found() -> OpenBlock | None:
    try:
        from cdc_archive.archive.format.compiled_block import CompiledBlock  # if it is there
    except ImportError:
        return None
    return CompiledBlock


compiled = _found()
"""`PatternBlock` as C, if a compiler was at hand when the package was built: see hatch_build.py."""


def records(
    metadata: Mapping[str, bytes], count: int, payload: bytes, wanted: Glance | None = None
) -> Iterator[list[ChangeRecord]]:
    """The records of a block, or those that are wanted, up to `AT_ONCE` at a time.

    Args:
        metadata: of its file: what its records have in common.
        count: how many records it holds.
        payload: its bytes, decompressed.
        wanted: tells which are; None: all.

    Raises:
        Exception: whatever the general decoder makes of damaged bytes.
    """
    if count > len(payload):
        raise ValueError("it promises more records than it has bytes")
    open_block: OpenBlock = compiled or PatternBlock
    block = open_block(*_common(metadata), count, payload, wanted)
    while block.left:
        found = block.usual(AT_ONCE)
        yield found
        if block.left and len(found) < AT_ONCE:
            record, at = _any(payload, block.at)
            block.passed(at)
            if wanted is None or wanted(record.op, record.key, record.headers):
                yield [record]
    if block.at != len(payload):
        raise ValueError(f"it holds more than its {count} records")


def _common(metadata: Mapping[str, bytes]) -> tuple[TopicPartition, str]:
    """The topic partition and table of a file's records; what none has, if it does not tell."""
    try:
        topic, folder = metadata["cdc.topic"].decode(), metadata["cdc.folder"].decode()
        return TopicPartition(topic, int(metadata["cdc.partition"])), folder
    except (KeyError, ValueError):
        return TopicPartition("", -1), ""


def _any(payload: bytes, at: int) -> tuple[ChangeRecord, int]:
    """The record that stands at a place, by the general decoder, and where it ends."""
    stream = io.BytesIO(payload)
    stream.seek(at)
    found: Any = fastavro.schemaless_reader(stream, reading_schema("change_record.avsc"))
    return ChangeRecord._make(message_fields(found).values()), stream.tell()


def message_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message, as the general decoder gives them, as ours."""
    fields["headers"] = pairs(fields["headers"])
    fields["timestamp_type"] -= 1
    return fields
