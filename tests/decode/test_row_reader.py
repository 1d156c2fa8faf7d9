"""Rows as the database held them: typed by the schema in the file, or by the mapping's hints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from support.captures import messages
from support.row_changes import row_change

from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.decode.row_reader import Hints, RowReader
from cdc_archive.decode.unavailable import UNAVAILABLE
from cdc_archive.source.message import Message

DECLARED = b"__debezium.unavailable.value.placeholder"


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


def test_an_update_tells_what_is_not_available() -> None:
    """Recorded: text, jsonb, bytea, text[], int[] and date[] out of line, none of them touched."""
    update = next(one for one in recorded("pg_js", "toast_kinds") if one.record.op == "u")
    row = RowReader().row(update, update.record.after)
    assert row == {"id": 1, "n": 2, **dict.fromkeys(("t", "j", "b", "ta", "ia", "da"), UNAVAILABLE)}


HINTS = Hints(
    ["app.type_zoo"],
    {
        "n_free": "variable_decimal",
        "n_10_2": "decimal(2)",
        "cash": "decimal(2)",
        "an": "variable_decimal[]",
        "d": "date",
        "ad": "date[]",
        "tm": "time_us",
        "ts0": "timestamp_ms",
        "ts3": "timestamp_ms",
        "ts6": "timestamp_us",
        "j": "json",
        "jb": "json",
        "ajb": "json[]",
        "by": "bytes",
        "n_38_0": "decimal(0)",
    },
)


@pytest.mark.parametrize("row_id", [*range(1, 19), 20, 24])
def test_hints_give_the_values_that_the_schema_would(row_id: int) -> None:
    """The same workload recorded without schemas, read with hints."""
    assert zoo(row_id, RowReader([HINTS]), "pg_jp") == zoo(row_id, RowReader())


def test_a_flattened_row_is_typed_by_hints_and_is_the_row_alone() -> None:
    """Recorded: ExtractNewRecordState, time.precision.mode=connect; its `__` fields are dropped."""
    hints = Hints(["type_zoo"], {"d": "date", "tm": "time_ms", "ts6": "timestamp_ms", "jb": "json"})
    (row,) = (
        row
        for one in recorded("pg_fl", "type_zoo")
        if (row := RowReader([hints]).row(one, one.record.after)) is not None
        and row["id"] == 1
        and b'"__op":"c"' in (one.record.after or b"")
    )
    assert not [name for name in row if name.startswith("__")]
    assert (row["d"], row["tm"], row["jb"]) == ("2024-02-29", "12:34:56.789", {"a": 2, "z": 1})
    assert row["ts6"] == "2024-02-29T12:34:56.789Z"


def with_schema(schema: Any, **after: Any) -> ArchivedRecord:
    """A change whose message carried this schema of a column `v`."""
    column = {**schema, "field": "v"}
    envelope = {
        "type": "struct",
        "fields": [
            {"type": "struct", "fields": [column], "optional": True, "field": "after"},
            {"type": "string", "field": "op"},
        ],
    }
    record = archived(row_change(0, "c", None, after))
    return record._replace(value_schema=json.dumps(envelope).encode())


def test_the_schema_in_the_file_wins_over_a_hint() -> None:
    """A hint is for JSON without a schema."""
    record = with_schema({"type": "int64"}, v=19782)
    hints = Hints(["*"], {"v": "date"})
    assert RowReader([hints]).row(record, record.record.after) == {"v": 19782}
    plain = record._replace(value_schema=None)
    assert RowReader([hints]).row(plain, plain.record.after) == {"v": "2024-02-29"}


def test_the_last_of_several_hints_counts() -> None:
    """And only those whose table's name ends so."""
    reader = RowReader(
        [
            Hints(["t"], {"v": "date"}),
            Hints(["app.*"], {"v": "time_us"}),
            Hints(["x"], {"v": "json"}),
        ]
    )
    record = archived(row_change(0, "c", None, {"v": 0}))
    assert reader.row(record, record.record.after) == {"v": "00:00:00"}


def test_what_is_not_available_is_told_before_it_is_typed() -> None:
    """28 numbers in a date[] are no dates; JSON text that is the placeholder is no JSON."""
    record = with_schema(
        {"type": "array", "items": {"type": "int32", "name": "io.debezium.time.Date"}},
        v=[*UNAVAILABLE.encode()],
    )
    assert RowReader().row(record, record.record.after) == {"v": UNAVAILABLE}
    mapped = with_schema({"type": "string", "name": "io.debezium.data.Json"}, v="?")
    assert RowReader(unavailable="?").row(mapped, mapped.record.after) == {"v": UNAVAILABLE}


@pytest.mark.parametrize(
    ("kind", "declared", "value"),
    [
        ({"type": "string"}, "?", "?"),
        ({"type": "bytes"}, "Pw==", "Pw=="),
        ({"type": "array", "items": {"type": "string"}}, '["?"]', ["?"]),
        ({"type": "array", "items": {"type": "int32"}}, "[63]", [63]),
        ({"type": "map", "keys": {"type": "string"}}, '{"?":"?"}', {"?": "?"}),
    ],
)
def test_a_placeholder_that_the_schema_declares_needs_no_setting(
    kind: Any, declared: str, value: Any
) -> None:
    """UnavailableValuePlaceholderParameter: the form in which the column shows it."""
    parameters = {DECLARED.decode(): declared}
    record = with_schema({**kind, "parameters": parameters}, v=value)
    assert RowReader().row(record, record.record.after) == {"v": UNAVAILABLE}
    undeclared = with_schema(kind, v=value)
    assert RowReader().row(undeclared, undeclared.record.after) == {"v": value}


@pytest.mark.parametrize("text", [None, b"null", b"[1]", b"{", b'"a"'])
def test_what_is_no_row_is_none(text: bytes | None) -> None:
    """Absent, null, no object, unreadable."""
    assert RowReader().row(archived(row_change(0, "c", None, {})), text) is None


@pytest.mark.parametrize(
    "schema",
    [
        b"null",
        b"{",
        b"[]",
        b'{"fields":1}',
        b'{"fields":[1,{"field":2},{"field":"a","type":["b"],"name":{}}]}',
        b'{"fields":[{"field":"v","name":"org.apache.kafka.connect.data.Decimal","parameters":[]}]}',
        b'{"fields":[{"field":"v","type":"array"},{"field":"v","type":"map","keys":7}]}',
        b'{"fields":[{"field":"v","type":"array","parameters":{"%b":"["}}]}' % DECLARED,
        b'{"fields":' * 99 + b"1" + b"}" * 99,
        b"[" * 100_000,
    ],
)
def test_a_schema_that_is_none_leaves_the_row_as_it_came(schema: bytes) -> None:
    """The archive keeps what came; reading it never fails for it."""
    record = archived(row_change(0, "c", None, {"v": "AQ=="}))._replace(value_schema=schema)
    assert RowReader().row(record, record.record.after) == {"v": "AQ=="}


def test_a_key_is_typed_as_its_row_is() -> None:
    """By the schema around it, or by the hints."""
    schema = {
        "type": "struct",
        "fields": [{"field": "id", "type": "int32", "name": "io.debezium.time.Date"}],
    }
    plain = archived(row_change(0, "c", None, {}, key=19782))
    key = json.dumps({"schema": schema, "payload": {"id": 19782}}).encode()
    wrapped = plain._replace(record=plain.record._replace(key=key))
    assert RowReader().key(wrapped) == {"id": "2024-02-29"}
    assert RowReader([Hints(["t"], {"id": "date"})]).key(plain) == {"id": "2024-02-29"}
    assert RowReader().key(plain) == {"id": 19782}
    assert RowReader().key(plain._replace(record=plain.record._replace(key=None))) is None


def test_a_hint_that_is_no_type_is_refused_by_name() -> None:
    """The fault says which column, and what types there are."""
    with pytest.raises(ValueError, match=r"^born: 'day' is no type; there are decimal, .*date"):
        Hints(["t"], {"born": "day"})


def test_a_schema_is_of_an_envelope_or_of_a_flattened_row() -> None:
    """An envelope may describe its before image alone; a table may have a column `op`."""
    born = {"field": "born", "type": "int32", "name": "io.debezium.time.Date"}
    op = {"field": "op", "type": "string"}
    image = {"field": "before", "type": "struct", "fields": [born]}
    record = archived(row_change(0, "c", None, {"born": 0, "op": "x"}))
    for columns in ([image, op], [born, op], [born]):
        schema = json.dumps({"type": "struct", "fields": columns}).encode()
        row = RowReader().row(record._replace(value_schema=schema), record.record.after)
        assert row == {"born": "1970-01-01", "op": "x"}
