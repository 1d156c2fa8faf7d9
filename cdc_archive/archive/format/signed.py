"""Objects that carry their own signature: the last member of the JSON object, over all before it.

What is signed is short, so that a key that lives elsewhere can sign it: a line that says what kind
of object it is, and the hex sha256 of the object's text without that member. Nobody needs our JSON
library to get at it. See schemas/ARCHIVE_FORMAT.md, Signatures.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

DIGEST: Final = b"cdc-archive digest 1\n"
"""First line of what a digest's signature is over."""
KEY: Final = b"cdc-archive key 1\n"
"""First line of what a key record's signature is over."""

_MEMBER: Final = b',"signature":'


class Signature(msgspec.Struct, frozen=True):
    """Who signed, how, and the signature's bytes in hex."""

    key: str
    algorithm: str
    value: str


def signed_text(purpose: bytes, data: bytes) -> bytes:
    """What the signature in an object is over, or would be over if it had one.

    Args:
        purpose: `DIGEST` or `KEY`.
        data: the object's bytes.
    """
    at = data.rfind(_MEMBER)
    unsigned = data if at < 0 else data[:at] + b"}"
    return purpose + hashlib.sha256(unsigned).hexdigest().encode() + b"\n"


def ends_in(data: bytes, signature: Signature | None) -> bool:
    """Whether an object ends in its signature: what stands after it nobody signed."""
    return signature is None or data.endswith(_MEMBER + msgspec.json.encode(signature) + b"}")


def with_signature(data: bytes, signature: Signature) -> bytes:
    """An object that has none, with a signature as its last member."""
    return data[:-1] + _MEMBER + msgspec.json.encode(signature) + b"}"
