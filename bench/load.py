"""Change events that prove themselves: the key of each holds the checksum of its row.

So an archive can be checked without a copy of what was sent: every offset once, every row whole.
Rows are base64 of random bytes, which no codec makes much smaller.
"""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections.abc import Iterator
from typing import NamedTuple

HOUR_MS = 3_600_000
START_MS = 1_771_516_800_000
"""2026-02-19T16:00:00Z."""


class Event(NamedTuple):
    """One message to send."""

    partition: int
    key: bytes
    value: bytes


def event(
    rng: random.Random, number: int, partition: int, table: str, hour: int, size: int
) -> Event:
    """An insert of about `size` bytes into `table`, `hour` hours after the first."""
    after = b'{"n":%d,"data":"%b"}' % (number, base64.b64encode(rng.randbytes(size * 3 // 4)))
    return Event(partition, _key(number, after), _envelope(table, hour, after))


def described(event: Event, schema: bytes) -> Event:
    """The same event with a Connect schema around it."""
    return event._replace(value=b'{"schema":%b,"payload":%b}' % (schema, event.value))


def connect_schema(table: str, columns: int) -> bytes:
    """A schema as Connect writes it, of about 60 bytes a column."""
    fields = [
        {"type": "string", "optional": True, "field": f"{table}_column_{number}"}
        for number in range(columns)
    ]
    return json.dumps({"type": "struct", "fields": fields, "name": f"pg.app.{table}"}).encode()


def proven(key: bytes, after: bytes) -> bool:
    """Whether a row is the one that its key was made for."""
    return bool(json.loads(key)["crc"] == zlib.crc32(after))


def _key(number: int, after: bytes) -> bytes:
    return b'{"n":%d,"crc":%d}' % (number, zlib.crc32(after))


def _envelope(table: str, hour: int, after: bytes) -> bytes:
    ms = START_MS + hour * HOUR_MS
    return (
        b'{"before":null,"after":%b,"source":{"version":"3.6.3.Final","connector":"postgresql",'
        b'"name":"pg","ts_ms":%d,"snapshot":"false","db":"lab","schema":"app","table":"%b"},'
        b'"transaction":null,"op":"c","ts_ms":%d}' % (after, ms, table.encode(), ms + 5)
    )


Load = Iterator[Event]


def table_hours(rng: random.Random, tables: int, hours: int, partitions: int, size: int) -> Load:
    """Every table and hour in turn, so that all of them are open at once."""
    for number in _count():
        table = number % tables
        hour = number // tables % hours
        yield event(rng, number, table % partitions, f"t{table}", hour, size)


def with_schemas(rng: random.Random, tables: int, partitions: int, size: int) -> Load:
    """Each table with a Connect schema of its own."""
    schemas = [connect_schema(f"t{table}", 60) for table in range(tables)]
    for number in _count():
        table = number % tables
        plain = event(rng, number, table % partitions, f"t{table}", 0, size)
        yield described(plain, schemas[table])


def large(rng: random.Random, partitions: int, smallest: int, largest: int) -> Load:
    """Sizes from smallest to largest, each doubling as likely."""
    doublings = (largest // smallest).bit_length() - 1
    for number in _count():
        size = smallest << rng.randint(0, doublings)
        yield event(rng, number, number % partitions, "blobs", 0, size)


def skewed(rng: random.Random, partitions: int, ratio: int, size: int) -> Load:
    """One partition gets `ratio` times what each other gets."""
    weights = [ratio] + [1] * (partitions - 1)
    for number in _count():
        partition = rng.choices(range(partitions), weights)[0]
        yield event(rng, number, partition, f"t{number % 5}", 0, size)


def ordinary(rng: random.Random, tables: int) -> Load:
    """Rows of a dozen columns such as applications have, about 500 bytes an event; a table each."""
    states = (b"active", b"pending", b"suspended", b"deleted")
    for number in _count():
        table, user = number % tables, rng.randrange(50_000)
        after = (
            b'{"id":%d,"name":"customer %d","email":"user.%d@example.com","status":"%b",'
            b'"owner_id":"user_%08x","balance":%d,"note":"%b","created_at":%d,"updated_at":%d}'
        ) % (
            number,
            user,
            user,
            rng.choice(states),
            rng.getrandbits(32),
            rng.randrange(10**6),
            b" ".join(rng.choices(_WORDS, k=12)),
            START_MS - rng.randrange(10**9),
            START_MS + number,
        )
        yield Event(table, _key(number, after), _envelope(f"t{table}", 0, after))


_WORDS = b"the invoice was sent again after review by support on request of customer".split()


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
