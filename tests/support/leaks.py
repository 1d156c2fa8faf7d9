"""Finds planted secrets in whatever was written, as they are or encoded; knows nothing of ours."""

from __future__ import annotations

import base64
import binascii
import html
import re
import secrets as random
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")


def planted(name: str, *, plain: bool = False) -> tuple[str, tuple[str, ...]]:
    """A secret that quoting, encoding and line ends change, and the words to look for in it.

    `plain`: visible ASCII only, as a header of a request must be.
    """
    words = tuple(f"m4rk3r{random.token_hex(6)}" for _ in range(3))
    first, second, third = words
    secret = f"{first}\"'\\%/+=&<{second}"
    return secret + (f"|{third}" if plain else f"ü {second}\n{third}"), words


def leaks(written: bytes, words: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The names of those of which a word stands in it."""
    seen = list(_views(written))
    return [
        name
        for name, of_one in words.items()
        if any(word.encode() in view for word in of_one for view in seen)
    ]


def _views(written: bytes) -> Iterator[bytes]:
    yield written
    yield unquote_to_bytes(written)
    yield html.unescape(written.decode("latin-1")).encode("latin-1", "replace")
    yield re.sub(rb"\\[nr]|[\s\\\"']", b"", written)
    for run in _HEX.findall(written):
        yield binascii.unhexlify(run)
    for run in _BASE64.findall(written):
        plain = run.translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):
            part = plain[start:]
            yield base64.b64decode(part[: len(part) // 4 * 4])
