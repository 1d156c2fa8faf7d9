"""A short text for a row's key, equal for keys that a person would call the same. Pure.

Key statistics are made of it. It leaves out the names of the columns and whether a value is a
number or a text, so that `7`, `id=7` and `{"id": 7}` ask for the same.
The rules stand in schemas/ARCHIVE_FORMAT.md, section Key statistics.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cdc_archive.decode.images import exact, key_value

UNUSUAL: Final = "*"
"""The token of keys that have no other: with a list, an object, a fraction or an exponent in
them."""
_SEPARATOR: Final = "\0"
_decode_lines: Final = msgspec.json.Decoder(float_hook=exact).decode_lines
_PLAIN: Final = rb'\{"[ !#-\[\]-~]*":(?:"([ !#-\[\]-~]*)"|(0|-?[1-9][0-9]{0,99}))\}'
"""Keys of one column as Connect writes them: an ASCII text without escapes, or a whole number."""
_plain: Final = re.compile(_PLAIN).fullmatch
_plain_lines: Final = re.compile(b"^" + _PLAIN + b"$", re.MULTILINE).findall


def is_plain(key: bytes) -> bool:
    """Whether a key is of one column and written as JSON always writes it."""
    return _plain(key) is not None


def token(key: bytes) -> bytes:
    """The token of a message's key."""
    plain = _plain(key)
    if plain is not None:
        return plain[plain.lastindex or 1]
    return encoded(_token(key_value(key)))


def tokens(keys: Sequence[bytes]) -> list[bytes]:
    """The tokens of many keys: all in one go if they are plain, or JSON of one line."""
    lines = b"\n".join(keys)
    if lines.count(b"\n") + 1 == len(keys):
        found = _plain_lines(lines)
        if len(found) == len(keys):
            return [text or number for text, number in found]
        try:
            values = _decode_lines(lines)
        except (msgspec.DecodeError, ValueError, RecursionError):
            values = []
        if len(values) == len(keys):
            return [encoded(_token(value)) for value in values]
    return [*map(token, keys)]


def encoded(text: str) -> bytes:
    """The bytes of a token's text; lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def joined(values: Sequence[str]) -> str:
    """The token of a key whose columns, in the order of their names, have these values."""
    return _SEPARATOR.join(values)


def _token(value: Any) -> str:
    if type(value) is not dict:
        text = _text(value)
    elif len(value) == 1:
        text = _text(next(iter(value.values())))
    elif value.keys() == {"schema", "payload"}:
        return _token(value["payload"])
    else:
        texts = [_text(value[name]) for name in sorted(value)]
        text = None if None in texts else joined(texts)  # type: ignore[arg-type]
    return UNUSUAL if text is None else text


def _text(value: Any) -> str | None:
    kind = type(value)
    if kind is str or kind is int:
        return str(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    return None
