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
        return _encode(_escaped(value))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return msgspec.Raw(json.dumps(value).encode())
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        names = (name.encode("utf-8", "backslashreplace").decode() for name in value)
        return dict(zip(names, map(_escaped, value.values()), strict=True))
    return value
