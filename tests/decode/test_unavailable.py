"""Debezium's placeholder for an untouched out-of-line value, as each column type shows it."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.decode.unavailable import UNAVAILABLE, Unavailable, is_unavailable

CODES = [*UNAVAILABLE.encode()]
"""95, 95, 100, ...: one number for each byte."""
BASE64 = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
ELEMENTS = [base64.b64encode(bytes([code])).decode() for code in CODES]
"""Each byte alone in base64."""

FORMS: dict[str, Any] = {
    "text, varchar, xml, json, jsonb; bytea as hex or base64 text": "__debezium_unavailable_value",
    "bytea": BASE64,
    "bytea, base64 for URLs": BASE64.replace("+", "-").replace("/", "_"),
    "bytea, base64 without its end": BASE64.rstrip("="),
    "bytea, hex": "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565",
    "bytea, upper-case hex": "5F5F646562657A69756D5F756E617661696C61626C655F76616C7565",
    "text[], varchar[], json[], jsonb[], timestamptz[]": ["__debezium_unavailable_value"],
    "bytea[]": [BASE64],
    "uuid[]": ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],
    "int[], date[], bigint[], timestamp[]": CODES,
    "float[]": [Decimal(code).quantize(Decimal("0.0")) for code in CODES],
    "numeric(10,0)[]": ELEMENTS,
    "numeric[]": [{"scale": 0, "value": one} for one in ELEMENTS],
    "hstore as a map": {"__debezium_unavailable_value": "__debezium_unavailable_value"},
    "hstore as JSON": '{"__debezium_unavailable_value":"__debezium_unavailable_value"}',
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_default_placeholder_is_recognised_in_every_column_type(form: Any) -> None:
    """UnchangedToastedPlaceholder's table of forms, as JsonConverter writes them."""
    assert is_unavailable(form)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        [],
        {},
        0,
        True,
        "debezium_unavailable_value",
        ["__debezium_unavailable_value"] * 2,
        ["__debezium_unavailable_value", "a"],
        CODES[:-1],
        [*CODES, 101],
        [str(code) for code in CODES],
        [True] * len(CODES),
        {"__debezium_unavailable_value": "a"},
        {"__debezium_unavailable_value": "__debezium_unavailable_value", "a": "a"},
        "b68a35a7-17ad-35b3-af2a-ae46edb4545a",
        ["b68a35a7-17ad-45b3-af2a-ae46edb4545a"],
    ],
)
def test_what_only_resembles_the_placeholder_is_a_value(value: Any) -> None:
    """The whole value must be the placeholder."""
    assert not is_unavailable(value)


@pytest.mark.parametrize(
    "form",
    [
        *("hex:00FF7F80", "AP9/gA==", "AP9_gA==", "AP9_gA", "00ff7f80", "00FF7F80"),
        *([0, -1, 127, -128], ["AP9/gA=="], ["\x00\ufffd\x7f\ufffd"], "\x00\ufffd\x7f\ufffd"),
        {"\x00\ufffd\x7f\ufffd": "\x00\ufffd\x7f\ufffd"},
    ],
)
def test_a_placeholder_in_hex_stands_for_its_bytes(form: Any) -> None:
    """`hex:` and digits: Java's bytes have a sign, and bytes that are no UTF-8 become U+FFFD."""
    assert form in Unavailable("hex:00FF7F80")


def test_a_placeholder_of_ones_own_takes_the_place_of_the_default() -> None:
    """In JSON it is escaped as JSON is."""
    unavailable = Unavailable('n/a "é"')
    assert ['n/a "é"'] in unavailable
    assert '{"n/a \\"é\\"":"n/a \\"é\\""}' in unavailable
    assert "__debezium_unavailable_value" not in unavailable


@pytest.mark.parametrize("placeholder", ["", "hex:", "hex:f", "hex:xy", "\ud800"])
def test_what_is_no_placeholder_is_refused(placeholder: str) -> None:
    """Empty: every empty value would be taken for it."""
    with pytest.raises(ValueError, match=r"hex|empty"):
        Unavailable(placeholder)


@given(st.binary(min_size=1, max_size=8), st.data())
def test_the_columns_of_a_row_are_those_whose_values_are_recognised(
    octets: bytes, data: st.DataObject
) -> None:
    """The quick way over a whole row and the test of one value agree."""
    unavailable = Unavailable("hex:" + octets.hex())
    forms = [octets.hex(), [octet - 256 if octet > 127 else octet for octet in octets]]
    values = st.sampled_from([*forms, *FORMS.values(), None, 1, "a", [], {}])
    row = data.draw(st.dictionaries(st.text(max_size=3), values))
    assert unavailable.columns(row) == [name for name, one in row.items() if one in unavailable]
