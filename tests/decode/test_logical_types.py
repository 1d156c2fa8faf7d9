"""Values from the JSON of Connect's and Debezium's logical types: exact, or as they came."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.decode import logical_types
from cdc_archive.decode.logical_types import converter, hinted

CONNECT = "org.apache.kafka.connect.data."
TIME = "io.debezium.time."
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def typed(schema: Any, value: Any) -> Any:
    convert = converter(schema)
    return value if convert is None else convert(value)


def decimal_schema(scale: int | str) -> dict[str, Any]:
    return {"type": "bytes", "name": CONNECT + "Decimal", "parameters": {"scale": str(scale)}}


def unscaled(number: int) -> str:
    """What JsonConverter writes: BigInteger.toByteArray in base64."""
    return base64.b64encode(
        number.to_bytes((8 + (number + (number < 0)).bit_length()) // 8, signed=True)
    ).decode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (CONNECT + "Date", 20503, "2026-02-19"),
        (CONNECT + "Time", 45296500, "12:34:56.5"),
        (CONNECT + "Timestamp", 1_771_516_800_000, "2026-02-19T16:00:00Z"),
        (TIME + "Date", -719162, "0001-01-01"),
        (TIME + "Date", 2932896, "9999-12-31"),
        (TIME + "Date", 11016, "2000-02-29"),
        (TIME + "Time", 1, "00:00:00.001"),
        (TIME + "MicroTime", 45296789012, "12:34:56.789012"),
        (TIME + "MicroTime", 86_400_000_000, "24:00:00"),
        (TIME + "NanoTime", 45296000000001, "12:34:56.000000001"),
        (TIME + "Timestamp", -1, "1969-12-31T23:59:59.999Z"),
        (TIME + "MicroTimestamp", 1_771_516_800_500_000, "2026-02-19T16:00:00.5Z"),
        (TIME + "MicroTimestamp", -62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (TIME + "NanoTimestamp", 1_771_516_800_000_000_001, "2026-02-19T16:00:00.000000001Z"),
        (TIME + "NanoTimestamp", 253_402_300_799_999_999_999, "9999-12-31T23:59:59.999999999Z"),
        ("io.debezium.data.Json", '{"a":[1.50]}', {"a": [Decimal("1.50")]}),
        ("io.debezium.data.Json", "null", None),
        ("io.debezium.data.VariableScaleDecimal", {"scale": 2, "value": "MDk="}, Decimal("123.45")),
        ("io.debezium.data.VariableScaleDecimal", {"scale": -2, "value": "ew=="}, Decimal(12300)),
    ],
)
def test_a_value_is_what_its_logical_type_means(name: str, value: Any, expected: Any) -> None:
    """By hand, from the definitions."""
    found = typed({"type": "any", "name": name}, value)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((TIME + "Date", value) for value in (-719163, 2932897, 10**30, "2026-02-19", 1.5, True)),
        *((TIME + "MicroTime", value) for value in (-1, 86_400_000_001, 3_020_399_000_000, "1")),
        *((TIME + "Timestamp", value) for value in (-62_135_596_800_001, 253_402_300_800_000)),
        *((TIME + "MicroTimestamp", value) for value in (2**63 - 1, -(2**63), 10**40, [1], {})),
        *(("io.debezium.data.Json", text) for text in ("{", "", "nul", "[" * 500, "\ud800", 7)),
        ("io.debezium.data.Json", '"__debezium_unavailable_value"'),
        *(
            ("io.debezium.data.VariableScaleDecimal", value)
            for value in (
                *("MDk=", {"scale": 2}, {"scale": 2, "value": "MDk=", "a": 1}),
                *({"scale": "2", "value": "MDk="}, {"scale": True, "value": "MDk="}),
                *({"scale": 2**31, "value": "MDk="}, {"scale": -(2**31), "value": "MDk="}),
                *({"scale": 2, "value": None}, {"scale": 2, "value": "M"}),
            )
        ),
        (TIME + "Year", 2026),
        (TIME + "Interval", "P1Y2M3DT4H5M6.789S"),
        (TIME + "MicroDuration", 37091106789000),
        (TIME + "NanoDuration", 1),
        (TIME + "ZonedTimestamp", "2024-02-29T12:34:56.789012Z"),
        (TIME + "ZonedTimestamp", "infinity"),
        (TIME + "ZonedTime", "07:04:56.789012Z"),
        (TIME + "IsoDate", "2024-02-29Z"),
        (TIME + "IsoTime", "12:34:56Z"),
        (TIME + "IsoTimestamp", "2024-02-29T12:34:56Z"),
        ("io.debezium.data.Bits", "Fg=="),
        ("io.debezium.data.Enum", "auditor"),
        ("io.debezium.data.EnumSet", "a,b"),
        ("io.debezium.data.Uuid", "11111111-2222-4333-8444-555555555555"),
        ("io.debezium.data.Xml", "<a/>"),
        ("io.debezium.data.Tsvector", "'a':1"),
        ("io.debezium.data.Ltree", "a.b"),
        ("io.debezium.data.geometry.Point", {"x": 1, "y": 2, "wkb": "AQ==", "srid": None}),
        ("io.debezium.data.geometry.Geometry", {"wkb": "AQ==", "srid": 4326}),
        ("io.debezium.data.geometry.Geography", {"wkb": "AQ==", "srid": 4326}),
        ("of nobody", "AQ=="),
    ],
)
def test_what_cannot_be_typed_stays_as_it_came(name: str, value: Any) -> None:
    """Another JSON type, out of range, infinities; and the types that need nothing."""
    assert typed({"type": "any", "name": name}, value) is value


@given(st.integers(-(10**40), 10**40), st.integers(0, 1000))
def test_a_decimal_is_exact(number: int, scale: int) -> None:
    """Any number of digits; the scale is kept as zeros after the point."""
    found = typed(decimal_schema(scale), unscaled(number))
    sign, digits, exponent = found.as_tuple()
    assert exponent == -scale
    assert (-1) ** sign * int("".join(map(str, digits))) == number


@pytest.mark.parametrize(
    ("scale", "value", "expected"),
    [
        (2, "MDk=", Decimal("123.45")),
        (2, unscaled(0), Decimal("0.00")),
        (-3, unscaled(-7), Decimal(-7000)),
        (2046, unscaled(12300 * 10**2046), Decimal(12300)),
        (1048, unscaled(10**2048), Decimal(10**1000)),
    ],
)
def test_a_scale_below_zero_counts_too(scale: int, value: str, expected: Decimal) -> None:
    """Debezium gives numeric(5,-2) the scale 2046, and a value with that many zeros."""
    assert str(typed(decimal_schema(scale), value)) == str(expected)


@pytest.mark.parametrize(
    ("scale", "value"),
    [
        *(
            (2, value)
            for value in ("", "M", "M===", "MD k=", "é", "\ud800", 123, ["MDk="], "123.45")
        ),
        *((scale, "MDk=") for scale in (2048, -1001, 2**31 - 1, -(2**31), "x", "", "٣", "1" * 99)),
        (2046, unscaled(12345)),
        (2, "A" * 100_004),
    ],
)
def test_a_decimal_that_is_none_stays_as_it_came(scale: Any, value: Any) -> None:
    """No base64, an absurd scale, more digits than a database has."""
    assert typed(decimal_schema(scale), value) is value


def test_the_longest_number_is_typed_in_no_time() -> None:
    """PostgreSQL's longest numeric: 131,072 digits before the point, 16,383 after it."""
    text = unscaled(10**147_455 - 1)
    started = time.process_time()
    found = typed(
        {"name": "io.debezium.data.VariableScaleDecimal"}, {"scale": 16383, "value": text}
    )
    assert time.process_time() - started < 2
    assert found.as_tuple()[1:] == ((9,) * 147_455, -16383)


@given(st.datetimes(), st.sampled_from([3, 6]))
def test_a_timestamp_is_the_moment_that_was_counted(moment: dt.datetime, digits: int) -> None:
    """Read back by Python's own parser."""
    microseconds = (moment.replace(tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)
    count = microseconds // 10 ** (6 - digits)
    text = logical_types.timestamp(digits, count)
    assert text.endswith("Z")
    assert not text.endswith("0Z") or "." not in text
    found = dt.datetime.fromisoformat(text)
    assert (found - EPOCH) // dt.timedelta(microseconds=10 ** (6 - digits)) == count


DATE = {"type": "int32", "name": TIME + "Date"}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "array", "items": DATE}, [0, None, "x"], ["1970-01-01", None, "x"]),
        ({"type": "array", "items": DATE}, {"a": 0}, {"a": 0}),
        (
            {"type": "array", "items": {"type": "array", "items": DATE}},
            [[0], None, []],
            [["1970-01-01"], None, []],
        ),
        (
            {"type": "map", "keys": {"type": "string"}, "values": DATE},
            {"a": 0, "b": None},
            {"a": "1970-01-01", "b": None},
        ),
        (
            {"type": "map", "keys": DATE, "values": DATE},
            [[0, 1], [1, None], [2], 3],
            [["1970-01-01", "1970-01-02"], ["1970-01-02", None], [2], 3],
        ),
        ({"type": "map", "keys": DATE, "values": {"type": "int32"}}, [[0, 1]], [["1970-01-01", 1]]),
        ({"type": "map", "keys": DATE}, 7, 7),
        (
            {"type": "struct", "fields": [{"field": "a", **DATE}, {"field": "b", "type": "int32"}]},
            {"a": 0, "b": 0, "c": 0},
            {"a": "1970-01-01", "b": 0, "c": 0},
        ),
        ({"type": "struct", "fields": [{"field": "a", **DATE}]}, {"a": None}, {"a": None}),
        ({"type": "struct", "fields": [{"field": "a", **DATE}]}, [0], [0]),
    ],
)
def test_lists_maps_and_structs_are_typed_within(schema: Any, value: Any, expected: Any) -> None:
    """JsonConverter: maps with other keys than text are lists of pairs."""
    assert typed(schema, value) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "map", "keys": {"type": "string"}, "values": {"type": "int32"}},
        {"type": "struct", "fields": [{"field": "a", "type": "int32"}]},
        {"type": "string", "name": "io.debezium.data.Uuid"},
        *(None, 1, [], {}, {"type": "array"}, {"type": "struct", "fields": {}}, {"type": ["map"]}),
    ],
)
def test_a_schema_without_logical_types_asks_for_no_work(schema: Any) -> None:
    """So rows without them cost no more than their parse."""
    assert converter(schema) is None


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        ("decimal(2)", "MDk=", Decimal("123.45")),
        ("decimal(-2)", "ew==", Decimal(12300)),
        ("decimal", "123.4500", Decimal("123.4500")),
        ("decimal", "-1E+3", Decimal("-1E+3")),
        *(("decimal", text, text) for text in ("NAN", "POSITIVE_INFINITY", "NaN", "", "1_0", "٣")),
        ("decimal", "1e999999", "1e999999"),
        ("variable_decimal", {"scale": 0, "value": "ZA=="}, Decimal(100)),
        ("date", 0, "1970-01-01"),
        ("date[]", [0], ["1970-01-01"]),
        ("decimal(2)[][]", [["MDk="]], [[Decimal("123.45")]]),
        ("time_ms", 1, "00:00:00.001"),
        ("time_us", 1, "00:00:00.000001"),
        ("time_ns", 1, "00:00:00.000000001"),
        ("timestamp_ms", 1, "1970-01-01T00:00:00.001Z"),
        ("timestamp_us", 1, "1970-01-01T00:00:00.000001Z"),
        ("timestamp_ns", 1, "1970-01-01T00:00:00.000000001Z"),
        ("json", "[1]", [1]),
    ],
)
def test_a_hint_names_the_encoding(hint: str, value: Any, expected: Any) -> None:
    """Each of the encodings that Debezium's JSON has."""
    convert = hinted(hint)
    assert convert is not None
    assert str(convert(value)) == str(expected)


def test_bytes_stay_base64() -> None:
    """The hint says that the text is none; no JSON holds bytes otherwise."""
    assert hinted("bytes") is None
    assert hinted("bytes[]") is None


@pytest.mark.parametrize(
    "hint",
    ["", "[]", "Date", "decimal()", "decimal(x)", "decimal(2048)", "decimal(-1001)"],
)
def test_an_unknown_hint_is_refused(hint: str) -> None:
    """With the names that there are."""
    with pytest.raises(ValueError, match=r"variable_decimal.*decimal\(SCALE\).*\[\]"):
        hinted(hint)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("MDk="),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
NAMES = st.sampled_from([*logical_types.NAMED, CONNECT + "Decimal", "of nobody"])
SCHEMAS = st.recursive(
    st.builds(lambda name, scale: {"name": name, "parameters": {"scale": scale}}, NAMES, st.text())
    | JSON,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda k, v: {"type": "map", "keys": k, "values": v}, inner, inner)
        | st.builds(
            lambda one: {"type": "struct", "fields": [{**one, "field": "a"}]},
            inner.filter(lambda one: isinstance(one, dict)),
        )
    ),
    max_leaves=4,
)


@given(SCHEMAS, JSON)
def test_no_schema_and_no_value_is_fatal(schema: Any, value: Any) -> None:
    """What comes out can be written as JSON."""
    json.dumps(typed(schema, value), default=str)
