"""JSON text as values: the quick parser gives what Python's gives, for every text."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.captures import JSON_CAPTURES, messages

from cdc_archive.decode.images import MAX_DEPTH, parsed

NUMBERS = st.sampled_from(
    [
        *("0", "-0", "-0.0", "1.50", "1.500", "1e5", "1E-5", "-1.0e+2", "0.1", "9007199254740993"),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775809"),
        *("18446744073709551615", "18446744073709551616", "12345678901234567890123", "1e400"),
        *("1e999999", "-1e-999999", "1e199999", "1e200000", "1e99999999999999999999", "NaN"),
        *("Infinity", "-Infinity", "01", "1.", ".5", "+1", "-", "1e", "0x1", "9" * 4301, "1_0"),
        "0." + "1" * 5_000,
    ]
)
STRINGS = st.one_of(
    st.text(max_size=5).map(json.dumps),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        [
            *('"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u12"', '"\t"', '"\\x"'),
            *('"\x7f"', '"[{[{"', '"\\u0000"', '"', '""'),
        ]
    ),
)
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t\r ", "\x0b", "\ufeff", "\xa0"])


def _list(parts: list[str]) -> str:
    return f"[{','.join(parts)}]"


def _object(parts: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in parts) + "}"


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=4).map(_list),
        st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '""']), inner), max_size=4).map(_object),
        st.tuples(SPACE, inner, SPACE).map("".join),
        st.tuples(inner, st.integers(0, 130)).map(lambda p: "[" * p[1] + p[0] + "]" * p[1]),
    )


WORDS = st.sampled_from(["true", "false", "null", "nul", "True", ""])
TEXTS = st.recursive(st.one_of(NUMBERS, STRINGS, WORDS), _containers, max_leaves=8)


def outcome(text: bytes | str, read: Any) -> str:
    """Its result to the last digit and in its order; or that there is none."""
    try:
        return repr(read(text))
    except ValueError:
        return "ValueError"


def plain(text: bytes | str) -> Any:
    """The definition: Python's parser, exact numbers, nothing nested too deep."""
    try:
        value = json.loads(text, parse_float=_fraction, parse_int=_integer, parse_constant=str)
    except RecursionError:
        raise ValueError from None
    if _depth(value) > MAX_DEPTH:
        raise ValueError
    return value


def _fraction(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    return number if abs(number.adjusted()) < 200_000 else text


def _integer(text: str) -> int | Decimal | str:
    try:
        return int(text)
    except ValueError:
        return _fraction(text)


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        deepest += 1
        level = [
            child for one in level for child in (one.values() if isinstance(one, dict) else one)
        ]
    return deepest


@given(TEXTS)
@settings(max_examples=400)
@example('{"a":1,"a":{"a":2,"a":[]}}')
@example("[" * 100 + "]" * 100)
@example("[" * 101 + "]" * 101)
@example('{"a":"' + "[" * 200 + '"}')
@example('"\\ud800"')
@example('"\ud83d\\ude00"')
def test_a_text_is_read_as_by_pythons_own_parser(text: str) -> None:
    """As text and as UTF-8."""
    assert outcome(text, parsed) == outcome(text, plain)
    octets = text.encode("utf-8", "surrogatepass")
    assert outcome(octets, parsed) == outcome(octets, plain)


@given(st.binary(max_size=12) | TEXTS.map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_bytes_are_read_as_by_pythons_own_parser(octets: bytes) -> None:
    """Bytes that are no UTF-8 too."""
    assert outcome(octets, parsed) == outcome(octets, plain)


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
)
def test_a_number_is_exact(number: float | Decimal) -> None:
    """Integers of any length, fractions with the digits that stand there."""
    text = str(number).replace("E+", "e+")
    assert outcome(text, parsed) == outcome(text, plain)
    assert str(parsed(f"[{text}]")[0]) == str(
        Decimal(text) if "." in text or "e" in text.lower() else int(text)
    )


@pytest.mark.parametrize("capture", JSON_CAPTURES)
def test_recorded_messages_are_read_as_by_pythons_own_parser(capture: str) -> None:
    """Every value and key of the recorded streams."""
    for message in messages(capture):
        for text in (message.value, message.key):
            if text is not None:
                assert outcome(text, parsed) == outcome(text, plain)
