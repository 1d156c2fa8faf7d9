"""Debezium's placeholder for an out-of-line value that a change did not touch, in all its forms.

The connector has it as bytes (`unavailable.value.placeholder`) and writes them as the column's type
would have them: text as text, bytes in base64, a list of text with one element, a list of numbers
with one number for each byte, a list of UUIDs with the UUID of the bytes' MD5, a map from the
placeholder to itself.
Source: Debezium's UnchangedToastedPlaceholder, UnchangedToastedReplicationMessageColumn and
PostgresValueConverter (3.6.3, and the lists of other numbers that came after it). A list of
booleans has no form of its own: nothing tells it from values.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import Any, Final

UNAVAILABLE: Final = "__debezium_unavailable_value"
"""Stands in a row for a value that is not available; also the placeholder's default.
Source: PostgreSQL connector documentation, `unavailable.value.placeholder`."""

_HEX: Final = "hex:"


class Unavailable:
    """One connector's placeholder: `value in unavailable` is true of each of its forms.

    Args:
        placeholder: the connector's `unavailable.value.placeholder`; `hex:` and digits for bytes.

    Raises:
        ValueError: it is empty, or `hex:` is not followed by hexadecimal digits.
    """

    def __init__(self, placeholder: str = UNAVAILABLE) -> None:
        octets = _octets(placeholder)
        text = octets.decode("utf-8", "replace")
        quoted = json.dumps(text, ensure_ascii=False)
        binary = {
            base64.b64encode(octets).decode(),
            base64.urlsafe_b64encode(octets).decode(),
            base64.urlsafe_b64encode(octets).decode().rstrip("="),
            octets.hex(),
            octets.hex().upper(),
        }
        md5 = uuid.UUID(bytes=hashlib.md5(octets, usedforsecurity=False).digest(), version=3)
        self._texts = frozenset({placeholder, text, f"{{{quoted}:{quoted}}}", *binary})
        self._elements = frozenset({placeholder, text, str(md5), *binary})
        self._map = {text: text}
        self._lists = _number_lists(octets)
        self._lengths = frozenset(map(len, self._texts))

    def __contains__(self, value: object) -> bool:
        if isinstance(value, str):
            return len(value) in self._lengths and value in self._texts
        if isinstance(value, list):
            one = value[0] if len(value) == 1 else None
            return (isinstance(one, str) and one in self._elements) or value in self._lists
        return isinstance(value, dict) and value == self._map

    def columns(self, row: dict[str, Any]) -> list[str]:
        """The columns of a row in which it stands. Asked of every row: no call for most values."""
        texts, lengths = self._texts, self._lengths
        found = []
        for name, value in row.items():
            kind = type(value)
            if kind is str:
                if len(value) in lengths and value in texts:
                    found.append(name)
            elif (kind is list or kind is dict) and value in self:
                found.append(name)
        return found


def _octets(placeholder: str) -> bytes:
    try:
        octets = (
            bytes.fromhex(placeholder.removeprefix(_HEX))
            if placeholder.startswith(_HEX)
            else placeholder.encode()
        )
    except ValueError:
        raise ValueError("not text, or `hex:` and an even number of hexadecimal digits") from None
    if not octets:
        raise ValueError("empty: every empty value would be taken for it")
    return octets


def _number_lists(octets: bytes) -> tuple[list[Any], ...]:
    """One element for each byte: an integer or float, a Decimal, a Decimal with its own scale.

    Java's bytes have a sign.
    """
    unscaled = [base64.b64encode(bytes((octet,))).decode() for octet in octets]
    return (
        [octet - 256 if octet > 127 else octet for octet in octets],  # noqa: PLR2004
        unscaled,
        [{"scale": 0, "value": value} for value in unscaled],
    )


_default: Final = Unavailable()


def is_unavailable(value: object) -> bool:
    """Whether a column's value is Debezium's placeholder, by its default, in any of its forms."""
    return value in _default
