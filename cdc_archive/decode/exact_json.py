"""Values as JSON text that `images.parsed` reads back as they were: nothing is rounded."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def exact_json(value: Any) -> bytes:
    """The value's JSON text; a lone surrogate, which UTF-8 cannot hold, is escaped."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _escaped(value)


def _escaped(value: Any) -> bytes:
    if isinstance(value, str):
        return json.dumps(value).encode()
    if isinstance(value, list | tuple):
        return b"[" + b",".join(map(_escaped, value)) + b"]"
    if isinstance(value, dict):
        members = (_escaped(name) + b":" + _escaped(one) for name, one in value.items())
        return b"{" + b",".join(members) + b"}"
    return _encode(value)
