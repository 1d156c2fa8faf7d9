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
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import fastavro

from cdc_archive import schema_files
from cdc_archive.archive.format import avro
from cdc_archive.errors import ArchiveDamaged

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MAX_BLOCK_BYTES: Final = 1 << 30
"""A block larger than this once decompressed is refused: no record of Kafka's is as large."""

_ZSTD_LEVEL: Final = 1
_DEFLATE_LEVEL: Final = 6


def _inflate(data: bytes) -> bytes:
    return _bounded(zlib.decompressobj(-15).decompress(data, MAX_BLOCK_BYTES + 1))


def _unzstd(data: bytes) -> bytes:
    return _bounded(zstd.ZstdDecompressor().decompress(data, MAX_BLOCK_BYTES + 1))


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data, _DEFLATE_LEVEL, -15)


def _zstd(data: bytes) -> bytes:
    return zstd.compress(data, _ZSTD_LEVEL)


def _same(data: bytes) -> bytes:
    return data


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_BLOCK_BYTES:
        raise ValueError(f"a block expands to more than {MAX_BLOCK_BYTES} bytes")
    return data


COMPRESS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "zstandard": _zstd,
    "deflate": _deflate,
    "null": _same,
}
_DECOMPRESS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "zstandard": _unzstd,
    "deflate": _inflate,
    "null": _same,
}


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


def block(records: bytes, count: int, codec: str, sync: bytes) -> tuple[bytes, ...]:
    """One block of `count` encoded records, in pieces: a large one is not copied to be joined."""
    data = COMPRESS[codec](records)
    return avro.long(count), avro.long(len(data)), data, sync


class Container(NamedTuple):
    """A container file's metadata and, lazily, its records as dicts with raw bytes for text."""

    metadata: Mapping[str, bytes]
    records: Iterator[dict[str, Any]]


def read(data: bytes, schema_name: str, where: str) -> Container:
    """Open a container file of ours.

    Args:
        data: the whole file.
        schema_name: the schema that it must have been written with, of schemas/.
        where: the object's key, for messages.

    Raises:
        ArchiveDamaged: not such a file. Damage in a block is raised while the records are read.
    """
    body = io.BytesIO(data)
    try:
        head: Any = fastavro.schemaless_reader(body, _HEADER_SCHEMA)
    except Exception as error:  # noqa: BLE001  # whatever the library makes of damaged bytes
        raise _damaged(where, f"its header cannot be read ({type(error).__name__})") from None
    meta = head["meta"]
    if head["magic"] != MAGIC or meta.get("avro.schema") != schema_text(schema_name):
        raise _damaged(where, f"it was not written with schemas/{schema_name}")
    decompress = _DECOMPRESS.get(meta.get("avro.codec", b"null").decode("ascii", "replace"))
    if decompress is None:
        raise _damaged(where, f"its codec {meta['avro.codec']!r} is not one of {[*_DECOMPRESS]}")
    return Container(
        meta, _records(data, body.tell(), head["sync"], schema_name, decompress, where)
    )


def _records(
    data: bytes,
    at: int,
    sync: bytes,
    schema_name: str,
    decompress: Callable[[bytes], bytes],
    where: str,
) -> Iterator[dict[str, Any]]:
    schema = _reading_schema(schema_name)
    while at < len(data):
        try:
            count, start, end = _block_frame(data, at, sync)
            records = _block_records(count, decompress(data[start:end]), schema)
        except Exception as error:  # noqa: BLE001  # whatever the libraries make of damaged bytes
            raise _damaged(where, f"block at byte {at}: {type(error).__name__}: {error}") from None
        at = end + SYNC_BYTES
        yield from records


def _block_frame(data: bytes, at: int, sync: bytes) -> tuple[int, int, int]:
    count, at = _read_long(data, at)
    size, at = _read_long(data, at)
    end = at + size
    if count < 0 or size < 0 or data[end : end + SYNC_BYTES] != sync:
        raise ValueError("its length or its sync marker is wrong")
    return count, at, end


def _block_records(count: int, payload: bytes, schema: Any) -> list[dict[str, Any]]:
    if count > len(payload):
        raise ValueError("it promises more records than it has bytes")
    stream = io.BytesIO(avro.long(count) + payload + b"\x00" if count else b"\x00")
    records: Any = fastavro.schemaless_reader(stream, schema)
    if stream.read(1):
        raise ValueError(f"it holds more than its {count} records")
    return records  # type: ignore[no-any-return]


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > 63:  # noqa: PLR2004
            raise ValueError("a number of more than 64 bits")


def _damaged(where: str, what: str) -> ArchiveDamaged:
    return ArchiveDamaged(f"{where}: {what}")


_HEADER_SCHEMA: Final = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "Magic", "size": len(MAGIC)}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "Sync", "size": SYNC_BYTES}},
        ],
    }
)


@cache
def _reading_schema(name: str) -> Any:
    """A block as an Avro array: one call a block; JSON text is left as bytes, times as numbers."""
    schema = json.loads(schema_text(name))
    for field in schema["fields"]:
        if field["name"] == "event_time_us":
            field["type"] = ["null", "long"]
        elif field["type"] == ["null", "string"]:
            field["type"] = ["null", "bytes"]
        elif field["name"] == "timestamp_type":
            field["type"] = "int"
    return fastavro.parse_schema({"type": "array", "items": schema})
