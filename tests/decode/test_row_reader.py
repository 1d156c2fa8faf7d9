"""Rows as the database held them: typed by the schema in the file, or by the mapping's hints."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from support.captures import messages

from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.decode.row_reader import RowReader
from cdc_archive.source.message import Message


def archived(message: Message) -> ArchivedRecord:
    decoded = Decoder().decode(message)
    return ArchivedRecord(decoded.record, "file", 0, decoded.value_schema)


def recorded(capture: str, table: str) -> Iterator[ArchivedRecord]:
    for message in messages(capture):
        if message.topic.endswith(f".{table}") and message.value is not None:
            yield archived(message)


def zoo(row_id: int, reader: RowReader, capture: str = "pg_js") -> dict[str, Any]:
    """The row of table type_zoo with this id, as it was inserted, without its nulls."""
    for record in recorded(capture, "type_zoo"):
        row = reader.row(record, record.record.after)
        if record.record.op == "c" and row is not None and row["id"] == row_id:
            return {name: value for name, value in row.items() if value is not None}
    raise LookupError(row_id)


def test_the_types_of_a_row_come_from_the_schema_in_its_file() -> None:
    """Expected: what section I of the recorded workload inserted, for every type of PostgreSQL."""
    assert zoo(1, RowReader()) == {
        "id": 1,
        "i2": 1,
        "i4": 2,
        "i8": 3,
        "r4": Decimal("1.5"),
        "r8": Decimal("2.25"),
        "n_free": Decimal("123.45"),
        "n_10_2": Decimal("99.95"),
        "n_38_0": Decimal(12345678901234567890123456789012345678),
        "cash": Decimal("1234.56"),
        "b": True,
        "c5": "ab   ",
        "vc": "varchar",
        "t": "text",
        "by": "AAH/",
        "u": "11111111-2222-4333-8444-555555555555",
        "j": {"z": 1, "a": 2},
        "jb": {"z": 1, "a": 2},
        "x": '<a b="1">x</a>',
        "d": "2024-02-29",
        "tm": "12:34:56.789012",
        "tmtz": "07:04:56.789012Z",
        "ts0": "2024-02-29T12:34:56Z",
        "ts3": "2024-02-29T12:34:56.789Z",
        "ts6": "2024-02-29T12:34:56.789012Z",
        "tstz": "2024-02-29T12:34:56.789012Z",
        "iv": 37091106789000,
        "bit1": True,
        "bit5": "Fg==",
        "vbit": "BQ==",
        "ip": "10.1.2.3/24",
        "net": "10.1.0.0/16",
        "mac": "08:00:2b:01:02:03",
        "pt": {
            "x": Decimal("1.5"),
            "y": Decimal("-2.5"),
            "wkb": "AQEAAAAAAAAAAAD4PwAAAAAAAATA",
            "srid": None,
        },
        "ir": "[1,5)",
        "tr": '["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")',
        "e": "team",
        "ae": ["free", "enterprise"],
        "ai": [1, None, 3],
        "an": [Decimal("1.1"), Decimal("2.2"), None],
        "atz": ["2024-01-01T00:00:00.000000Z"],
        "ajb": [{"a": 1}, None],
        "ad": ["2024-01-01"],
        "au": ["11111111-2222-4333-8444-555555555555"],
        "tsv": "'a':1 'cat':3 'fat':2",
        "o": 12345,
    }


@pytest.mark.parametrize(
    ("row_id", "columns"),
    [
        (2, {"n_10_2": Decimal("-99999999.99"), "n_38_0": Decimal(-(10**38) + 1)}),
        (2, {"tm": "00:00:00", "i8": -(2**63), "tstz": "-4712-01-01T00:00:00.000000Z"}),
        (3, {"n_10_2": Decimal("99999999.99"), "n_38_0": Decimal(10**38 - 1), "tm": "24:00:00"}),
        (4, {"n_free": Decimal("0.00000000000000000001")}),
        (5, {"n_free": Decimal(0)}),
        (6, {"n_free": Decimal(10**60)}),
        (7, {"n_free": Decimal("12345678901234567890.12345678901234567890")}),
        (9, {"r4": "NaN", "r8": "NaN"}),
        (10, {"r4": "Infinity", "r8": "-Infinity"}),
        (15, {"d": "0001-01-01", "ts6": "0001-01-01T00:00:00Z"}),
        (16, {"d": "1970-01-01", "ts6": "1969-12-31T23:59:59.999999Z"}),
        (17, {"d": "9999-12-31", "ts6": "9999-12-31T23:59:59.999999Z"}),
        (18, {"d": "1582-10-10", "ts6": "1582-10-10T00:00:00Z"}),
    ],
)
def test_extreme_values_are_exact(row_id: int, columns: dict[str, Any]) -> None:
    """Nothing is rounded, at the ends of the types' ranges too."""
    row = zoo(row_id, RowReader())
    assert {name: row[name] for name in columns} == columns


@pytest.mark.parametrize(
    ("row_id", "columns"),
    [
        (2, {"d": -2440550, "ts6": -210863520000000000, "iv": -(2**63)}),
        (3, {"d": 2145042905, "ts6": -9223372036853775810}),
        (13, {"d": -2147472692, "ts6": 9223372036825200000, "tstz": "infinity"}),
        (14, {"d": -2147472691, "ts6": -9223372036832400000, "tstz": "-infinity"}),
    ],
)
def test_what_cannot_be_typed_stays_as_it_came(row_id: int, columns: dict[str, Any]) -> None:
    """Infinities and years before 1 or after 9999: no date of ours, but the number is kept."""
    row = zoo(row_id, RowReader())
    assert {name: row[name] for name in columns} == columns


def test_a_negative_scale_is_read_as_the_database_has_it() -> None:
    """Debezium gives numeric(5,-2) the scale 2046; the row holds 12300."""
    (record,) = (one for one in recorded("pg_js", "odd_scale"))
    assert RowReader().row(record, record.record.after) == {"id": 1, "n_5_m2": Decimal(12300)}
