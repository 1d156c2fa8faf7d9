"""JSON text of rows and keys as values, numbers exact: for reading, never on the way in."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from cdc_archive.changelog.record import JsonText

Row = dict[str, Any]
"""A row image: column to value. Fractions are Decimal, so nothing is rounded."""

UNAVAILABLE: Final = "__debezium_unavailable_value"
"""What Debezium puts in the place of an out-of-line value that a change did not touch.
Source: PostgreSQL connector documentation, `unavailable.value.placeholder`."""
_PLACEHOLDERS: Final = (
    UNAVAILABLE,
    [UNAVAILABLE],
    [ord(char) for char in UNAVAILABLE],
    "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==",
)


def row(text: JsonText | None) -> Row | None:
    """A row image; None if it is absent, null or no object."""
    if text is None:
        return None
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def key_value(key: bytes | None) -> Any:
    """A message key as a JSON value, without Connect's schema around it; text if it is no JSON."""
    if key is None:
        return None
    try:
        value = json.loads(key)
    except (ValueError, RecursionError):
        return key.decode("utf-8", "replace")
    if isinstance(value, dict) and value.keys() == {"schema", "payload"}:
        return value["payload"]
    return value


def is_unavailable(value: object) -> bool:
    """Whether a column's value is Debezium's placeholder, in any of its forms."""
    return value in _PLACEHOLDERS
