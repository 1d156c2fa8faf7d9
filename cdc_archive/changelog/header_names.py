"""Names of Kafka headers that are not UTF-8, though Kafka says they are: kept, byte for byte.

In memory such a name is text with Python's surrogate escapes. An Avro string cannot hold that, so
the message goes to quarantine, its names shown with backslashes, and `detail` tells their bytes.
"""

from __future__ import annotations

import re
from typing import Final

from cdc_archive.changelog.record import Headers

_NOTE: Final = re.compile(r" \[header names in hex: ((?:[0-9a-f]{2}| )*)\]\Z")


def from_bytes(name: bytes) -> str:
    """A name as the client received it."""
    return name.decode("utf-8", "surrogateescape")


def to_bytes(name: str) -> bytes:
    """The bytes that `from_bytes` was given."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")


def as_text(name: bytes) -> str:
    """The name for people."""
    return name.decode("utf-8", "backslashreplace")


def noted(detail: str, names: list[bytes]) -> str:
    """A quarantine detail that tells the bytes of all names, in their order."""
    return f"{detail} [header names in hex: {' '.join(name.hex() for name in names)}]"


def has_note(detail: str) -> bool:
    """Whether a detail looks as if it told names."""
    return _NOTE.search(detail) is not None


def restored(headers: Headers, detail: str) -> Headers:
    """The headers of a quarantined message as they were received."""
    note = _NOTE.search(detail)
    if note is None:
        return headers
    names = [from_bytes(bytes.fromhex(name)) for name in note[1].split(" ")]
    if len(names) != len(headers):
        return headers
    return tuple((name, value) for name, (_, value) in zip(names, headers, strict=True))
