"""What every JSON object of the archive is checked for before its content is believed."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from cdc_archive.errors import FormatUnknown

_SHOWN: Final = 10**30


class _Version(msgspec.Struct):
    format: int


_version = msgspec.json.Decoder(_Version).decode


def require_version(data: bytes, key: str, oldest: int, newest: int) -> None:
    """Look at the format version alone: of a later one nothing else may be as we know it.

    Raises:
        FormatUnknown: another version.
        msgspec.DecodeError, RecursionError: no object with a version.
    """
    version = _version(data).format
    if not oldest <= version <= newest:
        raise FormatUnknown(f"{key}: format version {shown(version)}; this program knows {newest}")


def shown(number: int) -> str:
    """A number for a message: Python refuses to write out one of thousands of digits."""
    return str(number) if -_SHOWN < number < _SHOWN else "more than 10^30"


def refuse_repeated_members(data: bytes) -> None:
    """Readers differ in which of two equal names counts, so an object that has them has no meaning.

    Raises:
        ValueError: an object in it has two members of one name, or it is no JSON text.
        RecursionError: nested too deep.
    """
    json.loads(data, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found
