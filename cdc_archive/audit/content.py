"""The content of a logical decoding message: bytes, in whichever form the connector wrote them.

Source: Debezium's PostgreSQL connector, `binary.handling.mode` (bytes, base64, base64-url-safe,
hex) applies to `message.content`; JsonConverter writes bytes in base64;
DecodeLogicalDecodingMessageContent puts the decoded JSON in their place.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final, Literal

from cdc_archive.decode.images import parsed

Form = Literal["auto", "text", "base64", "base64url", "hex"]

UNREADABLE: Final[dict[str, Any]] = {}
"""Stands for a content that cannot be read: an object without members is nobody."""

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BASE64_URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_PATTERNS: Final = {"hex": _HEX, "base64": _BASE64, "base64url": _BASE64_URL}


def read(content: Any, form: Form) -> Any:
    """The JSON value, or else the text, that a content holds; `UNREADABLE` if it cannot be told.

    `auto` tells the forms apart by what comes out: a JSON object is never one by chance. A text
    that no form can be is itself. What could be both (`cafe` is a word, hex and base64) is not
    guessed at: the mapping must name the form.
    """
    if not isinstance(content, str):
        return content
    if form == "text":
        return _value(content)
    if form != "auto":
        return _text_in(_octets(content, form))
    plain = _value(content)
    if isinstance(plain, dict):
        return plain
    possible = [octets for each in _PATTERNS if (octets := _octets(content, each)) is not None]
    objects = (found for found in map(_text_in, possible) if isinstance(found, dict) and found)
    return next(objects, UNREADABLE if possible else plain)


def _text_in(octets: bytes | None) -> Any:
    try:
        return UNREADABLE if octets is None else _value(octets.decode())
    except UnicodeDecodeError:
        return UNREADABLE


def _octets(content: str, form: str) -> bytes | None:
    if not _PATTERNS[form].fullmatch(content):
        return None
    if form == "hex":
        return bytes.fromhex(content)
    bare = content.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_" if form == "base64url" else None)
    except binascii.Error:  # one character more than whole bytes have
        return None


def _value(text: str) -> Any:
    """A JSON object or string, else the text: a number may be somebody's id."""
    try:
        found = parsed(text)
    except ValueError:
        return text
    return found if isinstance(found, dict | str) else text
