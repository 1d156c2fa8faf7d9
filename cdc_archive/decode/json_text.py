"""Where the members of a JSON object begin and end in its text, without keeping their values.

Accepts what RFC 8259 allows and also what real producers write beside it: NaN and infinities,
lone surrogates as escapes, repeated names. Nothing is converted: the text is the value.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from cdc_archive.errors import Undecodable

MAX_MEMBERS: Final = 100_000
"""The most members of an object that are told apart: no table has as many columns."""
_MAX_VALUES: Final = 4_000_000
_SMALL: Final = 1 << 20

_WHITESPACE: Final = re.compile(r"[ \t\n\r]*")


def _nothing(_: object) -> None:
    """Numbers are not converted: a 5,000-digit integer costs no more than its text."""


_scan: Final = json.JSONDecoder(
    parse_int=_nothing,
    parse_float=_nothing,
    parse_constant=_nothing,
    object_pairs_hook=_nothing,
).scan_once  # type: ignore[attr-defined]  # the C scanner: (text, index) -> (value, end)
_scan_name: Final = json.decoder.scanstring  # type: ignore[attr-defined]


class Member(NamedTuple):
    """A member of an object: its name, and [start, end) of its value in the object's text."""

    name: str
    start: int
    end: int


def members(text: str) -> list[Member]:
    """The members of the JSON object that `text` consists of, in their order, repeated names too.

    Raises:
        Undecodable: `not_json`, `not_an_object`, `too_deep` or `too_many_members`.
    """
    _refuse_too_many_values(text)
    try:
        found, end = _object_members(text, _skip(text, 0))
    except (StopIteration, ValueError, IndexError) as error:
        told = "" if isinstance(error, IndexError) else str(error)
        raise Undecodable("not_json", told or "the text ends early") from None
    except RecursionError:
        raise Undecodable("too_deep", "nested deeper than the JSON parser goes") from None
    if end != len(text):
        raise Undecodable("not_json", f"text goes on after the object, at character {end}")
    return found


def _refuse_too_many_values(text: str) -> None:
    """The scanner makes a short-lived object of each array and member: 20 times their text."""
    if len(text) > _SMALL and sum(map(text.count, "[{:")) > _MAX_VALUES:
        raise _too_many(_MAX_VALUES)


def _too_many(bound: int) -> Undecodable:
    return Undecodable("too_many_members", f"more than {bound:,} of them")


def _object_members(text: str, at: int) -> tuple[list[Member], int]:
    if text[at] != "{":
        _scan(text, at)
        raise Undecodable("not_an_object", f"a JSON value that begins with {text[at]!r}")
    found: list[Member] = []
    at = _skip(text, at + 1)
    if text[at] == "}":
        return found, _skip(text, at + 1)
    while True:
        name, at = _name(text, at)
        start = _skip(text, at)
        _, end = _scan(text, start)
        found.append(Member(name, start, end))
        if len(found) > MAX_MEMBERS:
            raise _too_many(MAX_MEMBERS)
        at = _skip(text, end)
        if text[at] == "}":
            return found, _skip(text, at + 1)
        if text[at] != ",":
            raise ValueError(f"a comma or brace is missing at character {at}")
        at = _skip(text, at + 1)


def _name(text: str, at: int) -> tuple[str, int]:
    if text[at] != '"':
        raise ValueError(f"a member name is missing at character {at}")
    name, at = _scan_name(text, at + 1, True)
    at = _skip(text, at)
    if text[at] != ":":
        raise ValueError(f"a colon is missing at character {at}")
    return name, at + 1


def _skip(text: str, at: int) -> int:
    match = _WHITESPACE.match(text, at)
    assert match is not None
    return match.end()


def cut(text: str, pieces: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Cut the values of the named members out of an object's text.

    Args:
        text: a JSON object.
        pieces: member name to the placeholder that takes its value's place.

    Returns:
        the text with placeholders, and each value's text by name (a missing member is left out).

    Raises:
        Undecodable: as `members`, or `repeated_member` if a named member stands there twice.
    """
    out: list[str] = []
    values: dict[str, str] = {}
    at = 0
    for member in members(text):
        placeholder = pieces.get(member.name)
        if placeholder is None:
            continue
        if member.name in values:
            raise Undecodable("repeated_member", f"{member.name!r} stands twice in the envelope")
        values[member.name] = text[member.start : member.end]
        out += (text[at : member.start], placeholder)
        at = member.end
    out.append(text[at:])
    return "".join(out), values


def scalar(text: str | bytes | None) -> object:
    """The value of a short piece of JSON text; None if it is absent, null, long or not a value."""
    if text is None or len(text) > _SMALL:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
