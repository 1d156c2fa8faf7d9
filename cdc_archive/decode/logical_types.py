"""Values of Connect's and Debezium's logical types, from the JSON in which they came. Pure.

A converter takes a JSON value and gives the one that the database held. What it cannot type it
gives back as it came: another JSON type, out of range, an infinity that stands as a number. The
types left out here (text, UUIDs, zoned timestamps, bytes, durations, geometries...) are already
what they mean, or have no exact JSON.
Sources: Kafka Connect's JsonConverter and org.apache.kafka.connect.data; the Debezium connectors'
documentation, "Data type mappings"; recorded messages.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import partial
from typing import Any, Final

from cdc_archive.decode.images import parsed
from cdc_archive.decode.unavailable import is_unavailable

Converter = Callable[[Any], Any]
"""From a JSON value (never null) to the value it stands for, or to itself."""

_MAX_SCALE: Final = 16_383
"""PostgreSQL's most digits after the point; a declared scale has at most 1,000."""
_MAX_DECLARED: Final = 1_000
_WRAPPED_SCALE: Final = 2_048
"""A negative scale of a numeric(p, -s) arrives as 2048 - s: its 11 bits, unsigned."""
_MAX_DECIMAL_CHARS: Final = 100_000
"""Base64 of the longest number that PostgreSQL has, and a fifth more."""
_DAY_SECONDS: Final = 86_400
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()
_SECONDS: Final = range(
    (1 - _EPOCH_DAY) * _DAY_SECONDS, (dt.date.max.toordinal() + 1 - _EPOCH_DAY) * _DAY_SECONDS
)
"""Seconds since 1970 of the years 1 to 9999."""
_exactly: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,5})?", re.ASCII)


def decimal(scale: int, value: Any) -> Any:
    """org.apache.kafka.connect.data.Decimal: base64 of a big-endian integer times 10^-scale."""
    unscaled = _integer(value)
    if unscaled is None or not -_MAX_DECLARED <= scale < _WRAPPED_SCALE:
        return value
    if scale <= _MAX_DECLARED:
        return _scaled(unscaled, scale)
    whole, rest = divmod(unscaled, 10**scale)
    return value if rest else Decimal(whole)


def variable_decimal(value: Any) -> Any:
    """io.debezium.data.VariableScaleDecimal: {scale, value}, each value with its own scale."""
    if not isinstance(value, dict) or value.keys() != {"scale", "value"}:
        return value
    scale, unscaled = value["scale"], _integer(value["value"])
    if type(scale) is not int or abs(scale) > _MAX_SCALE or unscaled is None:
        return value
    return _scaled(unscaled, scale)


def decimal_text(value: Any) -> Any:
    """A number as text (`decimal.handling.mode=string`); NaN and infinities stay text."""
    if not isinstance(value, str) or len(value) > _MAX_DECIMAL_CHARS * 2:
        return value
    return Decimal(value) if _NUMBER.fullmatch(value) else value


def _integer(value: Any) -> int | None:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_DECIMAL_CHARS:
        return None
    try:
        octets = base64.b64decode(value, validate=True)
    except ValueError:
        return None
    return int.from_bytes(octets, signed=True) if octets else None


def _scaled(unscaled: int, scale: int) -> Decimal:
    number = Decimal(unscaled if scale >= 0 else unscaled * 10**-scale)
    return _exactly.scaleb(number, -scale) if scale > 0 else number


def date(value: Any) -> Any:
    """Days since 1970 as `2026-02-19`."""
    if type(value) is not int or value * _DAY_SECONDS not in _SECONDS:
        return value
    return dt.date.fromordinal(value + _EPOCH_DAY).isoformat()


def timestamp(digits: int, value: Any) -> Any:
    """Units of 10^-digits seconds since 1970, as `2026-02-19T12:34:56.5Z`."""
    if type(value) is not int:
        return value
    seconds, fraction = divmod(value, 10**digits)
    if seconds not in _SECONDS:
        return value
    days, seconds = divmod(seconds, _DAY_SECONDS)
    day = dt.date.fromordinal(days + _EPOCH_DAY).isoformat()
    return f"{day}T{_clock(seconds)}{_fraction(fraction, digits)}Z"


def time(digits: int, value: Any) -> Any:
    """Units of 10^-digits seconds since midnight, as `12:34:56.5`; `24:00:00` is a time too."""
    if type(value) is not int or not 0 <= value <= _DAY_SECONDS * 10**digits:
        return value
    seconds, fraction = divmod(value, 10**digits)
    return _clock(seconds) + _fraction(fraction, digits)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _fraction(fraction: int, digits: int) -> str:
    return f".{fraction:0{digits}}".rstrip("0") if fraction else ""


def json(value: Any) -> Any:
    """io.debezium.data.Json: JSON text. JSON's null is None, as SQL's NULL.

    A JSON value that looks like Debezium's placeholder stays text.
    """
    if not isinstance(value, str):
        return value
    try:
        found = parsed(value)
    except ValueError:
        return value
    return value if is_unavailable(found) else found


_milliseconds, _microseconds, _nanoseconds = 3, 6, 9

NAMED: Final[Mapping[str, Converter]] = {
    "org.apache.kafka.connect.data.Date": date,
    "org.apache.kafka.connect.data.Time": partial(time, _milliseconds),
    "org.apache.kafka.connect.data.Timestamp": partial(timestamp, _milliseconds),
    "io.debezium.time.Date": date,
    "io.debezium.time.Time": partial(time, _milliseconds),
    "io.debezium.time.MicroTime": partial(time, _microseconds),
    "io.debezium.time.NanoTime": partial(time, _nanoseconds),
    "io.debezium.time.Timestamp": partial(timestamp, _milliseconds),
    "io.debezium.time.MicroTimestamp": partial(timestamp, _microseconds),
    "io.debezium.time.NanoTimestamp": partial(timestamp, _nanoseconds),
    "io.debezium.data.Json": json,
    "io.debezium.data.VariableScaleDecimal": variable_decimal,
}
"""Converters by the name of the Connect schema."""

HINTS: Final[Mapping[str, Converter | None]] = {
    "decimal": decimal_text,
    "variable_decimal": variable_decimal,
    "date": date,
    "time_ms": partial(time, _milliseconds),
    "time_us": partial(time, _microseconds),
    "time_ns": partial(time, _nanoseconds),
    "timestamp_ms": partial(timestamp, _milliseconds),
    "timestamp_us": partial(timestamp, _microseconds),
    "timestamp_ns": partial(timestamp, _nanoseconds),
    "json": json,
    "bytes": None,
}
"""Converters by the name that a mapping gives to a column of JSON without a schema.
`bytes` says that the column's text is no text: it stays base64."""


def hinted(hint: str) -> Converter | None:
    """The converter that a hint names, `decimal(2)` and lists such as `date[]` too; None: as it is.

    Raises:
        ValueError: no such hint.
    """
    if hint.endswith("[]"):
        return _listed(hinted(hint.removesuffix("[]")))
    declared = re.fullmatch(r"decimal\((-?\d{1,4})\)", hint, re.ASCII)
    if declared and -_MAX_DECLARED <= (scale := int(declared[1])) < _WRAPPED_SCALE:
        return partial(decimal, scale)
    if hint not in HINTS:
        raise ValueError(
            f"{hint!r} is no type; there are {', '.join(HINTS)}, decimal(SCALE), "
            "and each with [] after it"
        )
    return HINTS[hint]


def converter(schema: Any) -> Converter | None:
    """The converter of a Connect schema (as JsonConverter writes it); None if there is no need."""
    if not isinstance(schema, dict):
        return None
    name = schema.get("name")
    if name == "org.apache.kafka.connect.data.Decimal":
        scale = _declared_scale(schema.get("parameters"))
        return None if scale is None else partial(decimal, scale)
    if isinstance(name, str) and name in NAMED:
        return NAMED[name]
    match schema.get("type"):
        case "struct":
            return _struct(schema)
        case "array":
            return _listed(converter(schema.get("items")))
        case "map":
            return _map(converter(schema.get("keys")), converter(schema.get("values")))
    return None


def _declared_scale(parameters: Any) -> int | None:
    text = parameters.get("scale") if isinstance(parameters, dict) else None
    return int(text) if isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,9}", text) else None


def fields(schema: Any) -> dict[str, dict[str, Any]]:
    """The fields of a struct's schema by their name; empty if it is none."""
    listed = schema.get("fields") if isinstance(schema, dict) else None
    return {
        field["field"]: field
        for field in (listed if isinstance(listed, list) else ())
        if isinstance(field, dict) and isinstance(field.get("field"), str)
    }


def _struct(schema: Any) -> Converter | None:
    found = {name: converter(field) for name, field in fields(schema).items()}
    needed = {name: convert for name, convert in found.items() if convert is not None}

    def convert_struct(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: needed[name](one) if name in needed and one is not None else one
            for name, one in value.items()
        }

    return convert_struct if needed else None


def _listed(convert: Converter | None) -> Converter | None:
    if convert is None:
        return None

    def convert_list(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [None if one is None else convert(one) for one in value]

    return convert_list


def _map(key: Converter | None, value: Converter | None) -> Converter | None:
    """JsonConverter writes a map whose keys are text as an object, any other as a list of pairs."""
    if key is None and value is None:
        return None

    def pair(convert: Converter | None, one: Any) -> Any:
        return one if convert is None or one is None else convert(one)

    def convert_map(found: Any) -> Any:
        if isinstance(found, dict):
            return {name: pair(value, one) for name, one in found.items()}
        if not isinstance(found, list):
            return found
        return [
            [pair(key, one[0]), pair(value, one[1])]
            if isinstance(one, list) and len(one) == 2  # noqa: PLR2004
            else one
            for one in found
        ]

    return convert_map
