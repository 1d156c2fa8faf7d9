"""Change events as a real Debezium wrote them, in any number: recorded messages of four tables,
with new keys, times, positions, transactions, people and random tokens: no two are the same.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CAPTURES = Path(__file__).parent.parent / "tests" / "captures"
RECORDINGS = {"json": "pg_jp", "json-schemas": "pg_js"}
"""Debezium's JSON without and with schemas."""
TABLES = ("invite", "user", "service_account", "rate_limit")
START_US = 1_771_516_800_000_000
"""2026-02-19T16:00:00Z."""
EVENTS_AN_HOUR = 400_000
_LAG_US = 413_000
_STEP_US = 3_600_000_000 // EVENTS_AN_HOUR

Headers = list[tuple[str, str | bytes | None]]


class Sent(NamedTuple):
    """One message to send."""

    key: bytes
    value: bytes
    headers: Headers


class _Template(NamedTuple):
    key: bytes
    value: bytes
    headers: Headers


_VARIED = (
    (rb'"sequence":"\[[^\]]*\]"', rb'"sequence":"[\"%(commit)d\",\"%(lsn)d\"]"'),
    (rb'"lsn":\d+', rb'"lsn":%(lsn)d'),
    (rb'"txId":\d+', rb'"txId":%(tx)d'),
    (rb'"id":"\d+:\d+","total_order":\d+', rb'"id":"%(tx)d:%(lsn)d","total_order":%(order)d'),
    (rb"user_(?:\d+|tx|e\d)", rb"user_%(user)06d"),
    (rb"\bu\d+@", rb"u%(user)d@"),
    (rb"proj_(?:\d+|tx|bulk)", rb"proj_%(project)05d"),
    (rb"svc_(?:\d+|tx)", rb"svc_%(n)08d"),
    (rb'\{"id":\d+', rb'{"id":%(n)d'),
    (rb"203\.0\.113\.\d+", rb"203.0.113.%(octet)d"),
    (rb"req_[0-9a-f]{32}", rb"req_%(token)032x"),
    (rb'(?<=ja3\\": \\")[0-9a-f]{32}', rb"%(print)032x"),
)
_TIMES = ((b"ms", 1000, 1), (b"us", 1, 1), (b"ns", 1, 1000))


def _varied(text: bytes) -> bytes:
    """A recorded text with places (`%`) for what differs from message to message."""
    text = text.replace(b"%", b"%%")
    for found, place in _VARIED:
        text = re.sub(found, lambda _, place=place: place, text)  # type: ignore[misc]
    body, op, tail = text.rpartition(b',"op":"')
    for unit, _, _ in _TIMES:
        pattern = rb'"ts_%b":\d+' % unit
        body = re.sub(pattern, rb'"ts_%b":%%(%b)d' % (unit, unit), body)
        tail = re.sub(pattern, rb'"ts_%b":%%(late_%b)d' % (unit, unit), tail)
    return body + op + tail


def _templates(recording: str) -> list[list[_Template]]:
    """Of each table, its changes that were streamed."""
    by_table: dict[str, list[_Template]] = {table: [] for table in TABLES}
    with gzip.open(CAPTURES / f"{recording}.jsonl.gz", "rt") as lines:
        for message in map(json.loads, lines):
            table, value = message["topic"].rpartition(".")[2], message["value"]
            if table not in by_table or value is None or message["key"] is None:
                continue
            text = base64.b64decode(value)
            if b'"snapshot":"false"' in text and b'"op":"t"' not in text:
                headers = [
                    (name, data and base64.b64decode(data)) for name, data in message["headers"]
                ]
                key = _varied(base64.b64decode(message["key"]))
                by_table[table].append(_Template(key, _varied(text), headers))
    return list(by_table.values())


def events(recording: str, seed: int = 1, hours: int = 0) -> Iterator[Sent]:
    """Events without end, one table after the other.

    Args:
        recording: a key of `RECORDINGS`.
        seed: decides tokens and people.
        hours: spread over so many hours at once; 0: one hour after the other.
    """
    rng, tables = random.Random(seed), _templates(RECORDINGS[recording])
    number = 0
    while True:
        us = START_US + number * _STEP_US
        if hours:
            us = START_US + number // len(tables) % hours * 3_600_000_000 + number % 3_600_000_000
        fields = _fields(rng, number, us)
        table = tables[number % len(tables)]
        template = table[number // len(tables) % len(table)]
        yield Sent(template.key % fields, template.value % fields, template.headers)
        number += 1


def _fields(rng: random.Random, number: int, us: int) -> dict[bytes, int]:
    lsn, bits = 80_000_000 + number * 400, rng.getrandbits(128)
    fields = {
        b"n": number,
        b"lsn": lsn,
        b"commit": lsn - 200,
        b"tx": 2_000 + number // 3,
        b"order": number % 3 + 1,
        b"user": bits % 50_000,
        b"project": bits % 977,
        b"octet": bits % 251,
        b"token": bits,
        b"print": (bits % 50_000) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128),
    }
    for unit, divided, times in _TIMES:
        fields[unit] = us // divided * times
        fields[b"late_" + unit] = (us + _LAG_US) // divided * times
    return fields
