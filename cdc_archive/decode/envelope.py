"""Debezium's change envelope, cut into its parts: before, after, source, transaction, and the rest.

The rest (the *envelope text*) keeps a placeholder where each part stood, so that `restore` gives
back every byte of the value: field order, white space and fields that we do not know included.
Rows are never parsed: two ways lead to the same parts, a quick one that covers what Debezium
writes today, and `json_text.cut`, which covers everything.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from cdc_archive.changelog.record import JsonText
from cdc_archive.decode.json_text import cut
from cdc_archive.errors import Undecodable

BEFORE: Final = "\x01"
AFTER: Final = "\x02"
SOURCE: Final = "\x03"
TRANSACTION: Final = "\x04"
SCHEMA: Final = "\x05"
PLACEHOLDERS: Final = (BEFORE, AFTER, SOURCE, TRANSACTION, SCHEMA)
"""Control characters: they cannot stand unescaped in JSON, so they mark a place unmistakably."""

_PLACE: Final = re.compile(rb"[\x01-\x05]")
_PIECES: Final = {
    "before": BEFORE,
    "after": AFTER,
    "source": SOURCE,
    "transaction": TRANSACTION,
}


class Parts(NamedTuple):
    """The value of a message, cut. A part is None if the member is absent, `b"null"` if null."""

    before: JsonText | None
    after: JsonText | None
    source: JsonText | None
    transaction: JsonText | None
    envelope: JsonText


class Envelope(msgspec.Struct, gc=False):
    """The members that every envelope of a change has; others are skipped."""

    before: msgspec.Raw
    after: msgspec.Raw
    source: msgspec.Raw
    transaction: msgspec.Raw
    op: str


class _Wrapper(msgspec.Struct):
    schema: msgspec.Raw
    payload: msgspec.Raw


_quick_wrapper: Final = msgspec.json.Decoder(_Wrapper)
_WRAPPED: Final = b'{"schema":%b,"payload":%b}'
quick_envelope: Final = msgspec.json.Decoder(Envelope).decode
"""Raises `msgspec.DecodeError`, `ValueError` or `RecursionError` for all that is no envelope."""
HEAD: Final = b'{"before":%b,"after":%b,"source":%b,"transaction":%b,'
"""How an envelope as Debezium 3 writes it begins."""
HEAD_TEXT: Final = HEAD % (b"\x01", b"\x02", b"\x03", b"\x04")
"""The envelope text of that beginning."""


def quick_parts(payload: bytes) -> tuple[str, Parts] | None:
    """`op` and parts of an envelope as Debezium 3 writes it; None if it is laid out otherwise.

    `payload` must be valid UTF-8.
    """
    try:
        found = quick_envelope(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    parts = (bytes(found.before), bytes(found.after), bytes(found.source), bytes(found.transaction))
    head = HEAD % parts
    if not payload.startswith(head):
        return None
    rest = payload[len(head) :]
    return found.op, Parts(*parts, HEAD_TEXT + rest)


def cut_parts(payload: str) -> Parts:
    """The parts of any JSON object; those that it lacks are None.

    Raises:
        Undecodable: not a JSON object, or a part stands in it twice.
    """
    text, values = cut(payload, _PIECES)
    before, after, source, transaction = (
        None if name not in values else values[name].encode() for name in _PIECES
    )
    return Parts(before, after, source, transaction, text.encode())


def quick_unwrap(value: bytes) -> tuple[bytes, bytes] | None:
    """Schema and payload of a wrapper as Connect writes it; None if it is laid out otherwise.

    `value` must be valid UTF-8. `quick_wrap` is the way back.
    """
    if not value.startswith(b'{"schema":{'):
        return None
    try:
        found = _quick_wrapper.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    schema, payload = bytes(found.schema), bytes(found.payload)
    return (schema, payload) if value == _WRAPPED % (schema, payload) else None


def quick_wrap(envelope: JsonText) -> JsonText:
    """The envelope text of a message whose payload has this one."""
    return _WRAPPED % (SCHEMA.encode(), envelope)


def unwrap(value: str) -> tuple[str, str, str] | None:
    """Connect's `{"schema": ..., "payload": ...}`, told apart by the message itself.

    Returns:
        the wrapper text (a placeholder for the schema, `payload` left out after it, see `wrap`),
        the schema's text and the payload's text; None if the value is no such wrapper.
    """
    wrapper, values = cut(value, {"schema": SCHEMA, "payload": AFTER})
    if len(values) != 2 or "".join(wrapper.split()) != f'{{"schema":{SCHEMA},"payload":{AFTER}}}':  # noqa: PLR2004
        return None
    if not values["schema"].startswith("{") and values["schema"] != "null":
        return None
    return wrapper, values["schema"], values["payload"]


def wrap(wrapper: str, envelope: JsonText) -> JsonText:
    """The envelope text of a wrapped message: the wrapper around that of its payload."""
    return wrapper.encode().replace(AFTER.encode(), envelope, 1)


def restore(
    envelope: JsonText,
    before: JsonText | None,
    after: JsonText | None,
    source: JsonText | None,
    transaction: JsonText | None,
    schema: JsonText | None,
) -> bytes:
    """The value of a message as it arrived, every byte of it.

    Raises:
        ValueError: a placeholder has no part to take its place.
    """
    parts = (before, after, source, transaction, schema)

    def part(place: re.Match[bytes]) -> bytes:
        found = parts[place[0][0] - 1]
        if found is None:
            raise ValueError(f"the envelope has a place for part {place[0][0]}, which is missing")
        return found

    return _PLACE.sub(part, envelope)


def refuse_control_characters(value: str) -> None:
    """A raw control character is not JSON, and would be taken for a placeholder.

    Raises:
        Undecodable: `not_json`.
    """
    for mark in PLACEHOLDERS:
        if mark in value:
            raise Undecodable("not_json", f"an unescaped control character U+{ord(mark):04X}")
