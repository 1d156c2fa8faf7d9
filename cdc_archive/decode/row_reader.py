"""Reads row images of an archive as rows: values typed, and what is not available told as such.

The types are those of the Connect schema that came with the message. JSON without schemas has
none; there the mapping's hints tell them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from cdc_archive.changelog.record import ArchivedRecord, ChangeRecord, JsonText
from cdc_archive.decode.images import Row, parsed, row
from cdc_archive.decode.logical_types import Converter, converter, fields, hinted
from cdc_archive.decode.unavailable import UNAVAILABLE, Unavailable

_PLACEHOLDER_PARAMETER: Final = "__debezium.unavailable.value.placeholder"
"""Debezium's UnavailableValuePlaceholderParameter: a column's placeholder in its own form."""
_MAX_TABLES: Final = 4096


@dataclass(frozen=True)
class Hints:
    """The types of columns whose JSON has no schema.

    `tables` are ends of tables' names, with wildcards; `columns` name a type each, see
    `logical_types.hinted`.

    Raises:
        ValueError: a type is unknown.
    """

    tables: Sequence[str]
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, hint in self.columns.items():
            try:
                hinted(hint)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None


class _Columns(NamedTuple):
    """What is to be done with a row's columns: the few that need it."""

    converters: Mapping[str, Converter]
    placeholders: Mapping[str, Sequence[Any]]


_UNTOUCHED: Final = _Columns({}, {})


class RowReader:
    """Reads rows.

    Args:
        hints: for JSON without schemas; of several that name a column of a table, the last.
        unavailable: the connector's `unavailable.value.placeholder`.

    Raises:
        ValueError: a hint or the placeholder is none.
    """

    def __init__(self, hints: Sequence[Hints] = (), unavailable: str = UNAVAILABLE) -> None:
        self._hints = hints
        self._unavailable = Unavailable(unavailable)
        self._hinted: dict[str, _Columns] = {}

    def row(self, archived: ArchivedRecord, text: JsonText | None) -> Row | None:
        """An image of a record: its `before` or `after`; None if there is none, or no object.

        A value that is not available is `UNAVAILABLE`, whatever its form was. What
        ExtractNewRecordState added to a flattened row is not the row's.
        """
        image = row(text)
        if image is None:
            return None
        if archived.record.source is None:
            image = {name: value for name, value in image.items() if not name.startswith("__")}
        return self._typed(image, self._columns(archived))

    def key(self, archived: ArchivedRecord) -> Row | None:
        """The columns of a record's key, typed as those of its rows; None if it is no object."""
        key = row(archived.record.key)
        columns = self._by_hints(archived.record)
        if key is not None and key.keys() == {"schema", "payload"}:
            columns = _needed(fields(key["schema"]))
            key = key["payload"] if isinstance(key["payload"], dict) else None
        return None if key is None else self._typed(key, columns)

    def _typed(self, image: Row, columns: _Columns) -> Row:
        for name in self._unavailable.columns(image):
            image[name] = UNAVAILABLE
        for name, declared in columns.placeholders.items():
            if image.get(name) in declared:
                image[name] = UNAVAILABLE
        for name, convert in columns.converters.items():
            value = image.get(name)
            if value is not None and value is not UNAVAILABLE:
                image[name] = convert(value)
        return image

    def _columns(self, archived: ArchivedRecord) -> _Columns:
        if archived.value_schema is not None:
            return _by_schema(archived.value_schema)
        return self._by_hints(archived.record)

    def _by_hints(self, record: ChangeRecord) -> _Columns:
        if not self._hints:
            return _UNTOUCHED
        found = self._hinted.get(record.table)
        if found is None:
            if len(self._hinted) >= _MAX_TABLES:
                self._hinted.clear()
            found = self._hinted[record.table] = _Columns(_hinted(self._hints, record.table), {})
        return found


def _hinted(hints: Sequence[Hints], table: str) -> Mapping[str, Converter]:
    named = {
        name: hinted(hint)
        for one in hints
        if any(ends(table, pattern) for pattern in one.tables)
        for name, hint in one.columns.items()
    }
    return {name: convert for name, convert in named.items() if convert is not None}


def ends(table: str, pattern: str) -> bool:
    """Whether the last parts of a table's name are the pattern: `api_key` fits `db.app.api_key`."""
    parts = table.split(".")
    wanted = pattern.count(".") + 1
    return fnmatchcase(".".join(parts[-wanted:]), pattern)


@lru_cache(maxsize=256)
def _by_schema(text: JsonText) -> _Columns:
    """What a message's Connect schema says of its rows: the envelope's, or a flattened row's."""
    try:
        message = fields(parsed(text))
    except ValueError:
        return _UNTOUCHED
    image = fields(message.get("after")) or fields(message.get("before"))
    columns = image if image and "op" in message else message
    return _needed(columns)


def _needed(columns: Mapping[str, Mapping[str, Any]]) -> _Columns:
    converters = {name: converter(column) for name, column in columns.items()}
    placeholders = {name: _declared(column) for name, column in columns.items()}
    return _Columns(
        {name: convert for name, convert in converters.items() if convert is not None},
        {name: declared for name, declared in placeholders.items() if declared},
    )


def _declared(column: Mapping[str, Any]) -> Sequence[Any]:
    """The placeholder that a column's schema declares: text as it is, or a list or map as JSON."""
    parameters = column.get("parameters")
    text = parameters.get(_PLACEHOLDER_PARAMETER) if isinstance(parameters, dict) else None
    if not isinstance(text, str) or not text:
        return ()
    if column.get("type") not in ("array", "map"):
        return (text,)
    try:
        return (msgspec.json.decode(text),)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ()
