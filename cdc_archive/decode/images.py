"""JSON text of rows and keys as values, numbers exact: for reading, never on the way in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from cdc_archive.changelog.record import JsonText
from cdc_archive.decode.unavailable import UNAVAILABLE, is_unavailable

__all__ = ["UNAVAILABLE", "Row", "is_unavailable", "key_value", "parsed", "row"]

Row = dict[str, Any]
"""A row image: column to value. Fractions are Decimal, so nothing is rounded."""

MAX_DEPTH: Final = 100
"""A row or key nested deeper is not read: what works on it walks it in step with its depth."""
_MAX_DIGITS: Final = 200_000
"""Numbers of more digits stay text; PostgreSQL's longest has 147,455."""


def parsed(text: bytes | str) -> Any:
    """JSON text as a value; numbers are exact: int, Decimal, or their text if they are absurd.

    Raises:
        ValueError: no JSON text in UTF-8, or nested deeper than `MAX_DEPTH`.
    """
    try:
        value = _decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        value = _parsed_loosely(text)
    if _brackets(text) > MAX_DEPTH:
        _require_shallow(value)
    return value


def _parsed_loosely(text: bytes | str) -> Any:
    """What RFC 8259 leaves out and producers write: NaN, lone surrogates, 5,000 digits."""
    try:
        return json.loads(text, parse_float=exact, parse_int=_integer, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _brackets(text: bytes | str) -> int:
    """A value is nested no deeper than it has opening brackets."""
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def exact(text: str) -> Decimal | str:
    """A JSON number with a fraction or an exponent; its text if it is absurd."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    return number if abs(number.adjusted()) < _MAX_DIGITS else text


def _integer(text: str) -> int | Decimal | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python turns into an int
        return exact(text)


_decode: Final = msgspec.json.Decoder(float_hook=exact).decode


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise ValueError("nested too deep")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [one for one in value.values() if isinstance(one, dict | list)]
    return [one for one in value if isinstance(one, dict | list)] if isinstance(value, list) else ()


def row(text: JsonText | None) -> Row | None:
    """A row image; None if it is absent, null, no object or cannot be `parsed`."""
    if text is None:
        return None
    try:
        value = parsed(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def key_value(key: bytes | None) -> Any:
    """A message key as a JSON value, without Connect's schema around it; text if it is no JSON."""
    if key is None:
        return None
    try:
        value = parsed(key)
    except ValueError:
        return key.decode("utf-8", "replace")
    if isinstance(value, dict) and value.keys() == {"schema", "payload"}:
        return value["payload"]
    return value
