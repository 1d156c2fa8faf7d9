"""Avro object container files: the frame around encoded records, written and read.

Writing is deterministic: the same records under the same settings give the same bytes (I6), for
the sync marker is derived from what the file is about and blocks are cut by bytes alone.
Reading trusts nothing: lengths and counts are checked before memory is taken.
Source: Apache Avro 1.12 specification, "Object Container Files".
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import chain
from typing import Any, Final, NamedTuple

import fastavro

from cdc_archive import schema_files
from cdc_archive.archive.format import avro
from cdc_archive.archive.format.codecs import COMPRESS, DECOMPRESS, MAX_BLOCK_BYTES, Transform
from cdc_archive.errors import ArchiveDamaged, Stop

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MAX_METADATA_ENTRIES: Final = 64
"""More entries than this in a file's header are refused; the writer makes at most eight."""

_BYTE: Final = 0x7F
_LONG_BITS: Final = 64


@cache
def schema_text(name: str) -> bytes:
    """An Avro schema of schemas/, white space removed, as it stands in a file's header."""
    return json.dumps(json.loads(schema_files.read(name)), separators=(",", ":")).encode()


def sync_marker(identity: tuple[object, ...]) -> bytes:
    """16 bytes derived from what the file is about."""
    return hashlib.sha256(repr(identity).encode()).digest()[:SYNC_BYTES]


def header(schema: bytes, codec: str, entries: Mapping[str, bytes], sync: bytes) -> bytes:
    """The head of a container file.

    Args:
        schema: the Avro schema's JSON text.
        codec: `zstandard`, `deflate` or `null`.
        entries: further metadata.
        sync: the file's sync marker.
    """
    items = [("avro.schema", schema), ("avro.codec", codec.encode()), *sorted(entries.items())]
    return MAGIC + avro.metadata(items) + sync


def require_openable(size: int) -> None:
    """Refuse a block of so many bytes, uncompressed, if a reader would not open it.

    Raises:
        Stop: it is too large.
    """
    if size > MAX_BLOCK_BYTES:
        raise Stop(
            f"a message of more than {MAX_BLOCK_BYTES:,} bytes cannot be archived",
            "Lower the topic's max.message.bytes, or leave the topic out (decode.skip_topics).",
        )


def block(records: bytes, count: int, codec: str, sync: bytes) -> tuple[bytes, ...]:
    """One block of `count` encoded records, in pieces: a large one is not copied to be joined.

    Raises:
        Stop: it is larger than a reader would open.
    """
    require_openable(len(records))
    data = COMPRESS[codec](records)
    return avro.long(count), avro.long(len(data)), data, sync


class Container(NamedTuple):
    """A container file's metadata and, lazily, its records: dicts with raw bytes for text, or
    what else they were read as.
    """

    metadata: Mapping[str, bytes]
    records: Iterator[Any]


ReadBlock = Callable[[Mapping[str, bytes], int, bytes], Iterator[list[Any]]]
"""Gives the records of a block, some at a time: the file's metadata, count, bytes. May raise
anything."""


def read(
    data: bytes, schema_name: str, where: str, read_block: ReadBlock | None = None
) -> Container:
    """Open a container file of ours.

    Args:
        data: the whole file.
        schema_name: the schema that it must have been written with, of schemas/.
        where: the object's key, for messages.
        read_block: reads what is in it; None: the general decoder.

    Raises:
        ArchiveDamaged: not such a file. Damage in a block is raised while the records are read.
    """
    try:
        meta, sync, at = _header(data)
    except (ValueError, IndexError) as error:
        raise _damaged(where, f"its header cannot be read ({error})") from None
    if meta.get("avro.schema") != schema_text(schema_name):
        raise _damaged(where, f"it was not written with schemas/{schema_name}")
    codec = meta.get("avro.codec", b"null")
    decompress = DECOMPRESS.get(codec.decode("ascii", "replace"))
    if decompress is None:
        raise _damaged(where, f"its codec {codec[:40]!r} is not one of {[*DECOMPRESS]}")
    how = partial(_block_records, reading_schema(schema_name)) if read_block is None else read_block
    helpings = _helpings(data, at, sync, partial(how, meta), decompress, where)
    return Container(meta, chain.from_iterable(helpings))


def _header(data: bytes) -> tuple[dict[str, bytes], bytes, int]:
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("not an Avro object container file")
    meta: dict[str, bytes] = {}
    count, at = _read_long(data, len(MAGIC))
    while count:
        if count < 0:  # then the size of this part of the map follows
            count, (_, at) = -count, _read_long(data, at)
        if len(meta) + count > MAX_METADATA_ENTRIES:
            raise ValueError(f"more than {MAX_METADATA_ENTRIES} entries of metadata")
        for _ in range(count):
            name, at = _read_sized(data, at)
            value, at = _read_sized(data, at)
            if name.decode() in meta:
                raise ValueError(f"the entry {name[:40]!r} stands twice")
            meta[name.decode()] = value
        count, at = _read_long(data, at)
    if at + SYNC_BYTES > len(data):
        raise ValueError("it ends early")
    return meta, data[at : at + SYNC_BYTES], at + SYNC_BYTES


def _helpings(
    data: bytes,
    at: int,
    sync: bytes,
    read_block: Callable[[int, bytes], Iterator[list[Any]]],
    decompress: Transform,
    where: str,
) -> Iterator[list[Any]]:
    while at < len(data):
        try:
            count, start, end = _block_frame(data, at, sync)
            yield from read_block(count, decompress(data[start:end]))
        except Exception as error:  # noqa: BLE001  # whatever the libraries make of damaged bytes
            raise _damaged(where, f"block at byte {at}: {type(error).__name__}: {error}") from None
        at = end + SYNC_BYTES


def _block_frame(data: bytes, at: int, sync: bytes) -> tuple[int, int, int]:
    count, at = _read_long(data, at)
    size, at = _read_long(data, at)
    end = at + size
    if count < 0 or size < 0 or data[end : end + SYNC_BYTES] != sync:
        raise ValueError("its length or its sync marker is wrong")
    return count, at, end


def _block_records(
    schema: Any, _metadata: Mapping[str, bytes], count: int, payload: bytes
) -> Iterator[list[dict[str, Any]]]:
    """One record at a time: a block of many tiny records is many times larger as values."""
    if count > len(payload):
        raise ValueError("it promises more records than it has bytes")
    stream = io.BytesIO(payload)
    for _ in range(count):
        record: Any = fastavro.schemaless_reader(stream, schema)
        yield [record]
    if stream.read(1):
        raise ValueError(f"it holds more than its {count} records")


def _read_sized(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_long(data, at)
    if not 0 <= size <= len(data) - at:
        raise ValueError("a length is wrong")
    return data[at : at + size], at + size


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & _BYTE) << shift
        if byte <= _BYTE:
            break
        shift += 7
        if shift >= _LONG_BITS:
            break
    if value >> _LONG_BITS or byte > _BYTE:
        raise ValueError("a number of more than 64 bits")
    return (value >> 1) ^ -(value & 1), at


def _damaged(where: str, what: str) -> ArchiveDamaged:
    return ArchiveDamaged(f"{where}: {what}")


@cache
def reading_schema(name: str) -> Any:
    """JSON text is left as bytes, times as numbers."""
    schema = json.loads(schema_text(name))
    for field in schema["fields"]:
        if field["name"] == "event_time_us":
            field["type"] = ["null", "long"]
        elif field["type"] == ["null", "string"]:
            field["type"] = ["null", "bytes"]
        elif field["name"] == "timestamp_type":
            field["type"] = "int"
    return fastavro.parse_schema(schema)
