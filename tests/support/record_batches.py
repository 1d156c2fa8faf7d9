"""Record batches as brokers serve them, written by the format's own page and by no client.

https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from crc32c import crc32c
from kafka import codec

LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
CODECS: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    0: bytes,
    1: codec.gzip_encode,
    2: codec.snappy_encode,
    3: codec.lz4_encode,
    4: codec.zstd_encode,
}
HEADER_BYTES: Final = 61


class Record(NamedTuple):
    """One record; `offset` and `time` (ms) count from its batch's. Headers' names are bytes."""

    offset: int
    time: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    attributes: int = 0


def number(value: int, padding: int = 0) -> bytes:
    """A zigzag varint; padded, it takes so many bytes more and means the same."""
    rest, parts = (value << 1) ^ (value >> 63), []
    while True:
        parts.append(rest & 0x7F)
        rest >>= 7
        if not rest:
            break
    parts += [0] * padding
    return bytes([part | 0x80 for part in parts[:-1]] + parts[-1:])


def sized(data: bytes | None, padding: int = 0) -> bytes:
    """Bytes after their length, -1 for none."""
    return number(-1, padding) if data is None else number(len(data), padding) + data


def record(one: Record, padding: int = 0) -> bytes:
    """A record after its length."""
    body = bytes([one.attributes]) + number(one.time, padding) + number(one.offset, padding)
    body += sized(one.key, padding) + sized(one.value, padding) + number(len(one.headers), padding)
    for name, value in one.headers:
        body += sized(name, padding) + sized(value, padding)
    return sized(body, padding)


def batch(
    records: Sequence[Record],
    base: int = 0,
    *,
    attributes: int = 0,
    codec: int = 0,
    length: int | None = None,
    producer: int = -1,
    epoch: int = 0,
    first_ms: int = 1_700_000_000_000,
    last_ms: int = 1_700_000_100_000,
    padding: int = 0,
) -> bytes:
    """A batch of `length` offsets, of which some may be compacted away."""
    last = (records[-1].offset if records else 0) if length is None else length - 1
    body = CODECS[codec](b"".join(record(one, padding) for one in records))
    rest = struct.pack(
        ">hiqqqhii", attributes | codec, last, first_ms, last_ms, producer, 0, 0, len(records)
    )
    rest += body
    checked = struct.pack(">ibI", epoch, 2, crc32c(rest)) + rest
    return struct.pack(">qi", base, len(checked)) + checked


def marker(base: int, producer: int, *, aborted: bool) -> bytes:
    """The end of a transaction (KIP-98)."""
    one = Record(0, 0, struct.pack(">hh", 0, 0 if aborted else 1), struct.pack(">hi", 0, 0))
    return batch([one], base, attributes=TRANSACTIONAL | CONTROL, producer=producer)


def with_crc(data: bytes) -> bytes:
    """A batch that was changed, with the CRC of what it is now."""
    return data[:17] + struct.pack(">I", crc32c(data[21:])) + data[21:]
