"""The fold: from a stream of changes to each row's transitions, version by version. Pure.

What a message lacks is taken from the version before and marked; what is not known is not guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Protocol

from cdc_archive.changelog.record import OP_UNKNOWN_ROW, ChangeRecord
from cdc_archive.decode.images import Row, is_unavailable, key_value, row
from cdc_archive.history.position import Change
from cdc_archive.history.transition import (
    EXACT,
    KEY_ONLY,
    NOT_APPLICABLE,
    RECONSTRUCTED,
    UNKNOWN,
    Proof,
    Transition,
    changed_columns,
)

_NEW_KEY: Final = "__debezium.newkey"
_OLD_KEY: Final = "__debezium.oldkey"
_NOTHING: Final[frozenset[str]] = frozenset()


class RowStates(Protocol):
    """The last known version of each row, by table and key."""

    def get(self, table: str, key: str) -> Row | None:
        """The version, None if the row is unknown."""
        ...

    def put(self, table: str, key: str, version: Row) -> None:
        """Remember a version."""
        ...

    def drop(self, table: str, key: str) -> Row | None:
        """Forget a row; gives back its last version."""
        ...

    def keys(self, table: str) -> list[str]:
        """Keys of the rows that live in a table, in the order of their text."""
        ...


class MemoryStates:
    """Row states in dicts."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Row]] = {}

    def get(self, table: str, key: str) -> Row | None:
        """See the port."""
        return self._tables.get(table, {}).get(key)

    def put(self, table: str, key: str, version: Row) -> None:
        """See the port."""
        self._tables.setdefault(table, {})[key] = version

    def drop(self, table: str, key: str) -> Row | None:
        """See the port."""
        return self._tables.get(table, {}).pop(key, None)

    def keys(self, table: str) -> list[str]:
        """See the port."""
        return sorted(self._tables.get(table, {}))


class Fold:
    """Applies changes one after the other.

    Args:
        states: the rows' last versions; empty at the beginning of an archive.
    """

    def __init__(self, states: RowStates) -> None:
        self._states = states
        self._shows_before: dict[str, bool] = {}
        self._moved: dict[tuple[str, str], tuple[Row | None, Proof]] = {}
        self.untold = 0
        self.unreadable = 0

    def apply(self, change: Change) -> Iterator[Transition]:
        """The transitions that a change makes: none, one, or one for each row of a TRUNCATE."""
        record = change.archived.record
        key = canonical(record.key)
        after, before = _image(record, record.after), _image(record, record.before)
        self.unreadable += after is None and record.after not in (None, b"null")
        if record.op == "r" and after is not None:
            self._remember(record.table, key, after)
        elif record.op == "t":
            yield from self._truncate(change)
        elif record.op == "d":
            yield from self._delete(change, key, before)
        elif record.op in ("c", "u", OP_UNKNOWN_ROW) and after is not None:
            yield from self._write(change, key, before, after)

    def _write(
        self, change: Change, key: str | None, before: Row | None, after: Row
    ) -> Iterator[Transition]:
        record = change.archived.record
        old_key = _header(record, _OLD_KEY)
        known = None if key is None else self._states.get(record.table, key)
        if record.op == OP_UNKNOWN_ROW and known is None:
            self.untold += 1
            self._remember(record.table, key, after)
            return
        if record.op == "c" and old_key is None:
            version, unknown = _filled(after, None)
            self._remember(record.table, key, version)
            yield Transition(
                "create", record.table, key, None, version, NOT_APPLICABLE, None, unknown, change
            )
            return
        proof: Proof = EXACT if before is not None else UNKNOWN
        if old_key is not None:
            before, proof = self._moved.pop((record.table, key or ""), (None, UNKNOWN))
        elif record.op == "u":
            self._shows_before[record.table] = before is not None
        if before is None and known is not None:
            before, proof = known, RECONSTRUCTED
        version, unknown = _filled(after, before if proof != KEY_ONLY else None)
        self._remember(record.table, key, version)
        changed = None if proof in (UNKNOWN, KEY_ONLY) else changed_columns(before, version)
        yield Transition(
            "update", record.table, key, before, version, proof, changed, unknown, change
        )

    def _delete(self, change: Change, key: str | None, image: Row | None) -> Iterator[Transition]:
        record = change.archived.record
        known = None if key is None else self._states.drop(record.table, key)
        before, proof = self._evidence(record, image, known)
        new_key = _header(record, _NEW_KEY)
        if new_key is not None:
            self._moved[record.table, new_key] = (before, proof)
            return
        yield Transition("delete", record.table, key, before, None, proof, None, _NOTHING, change)

    def _evidence(
        self, record: ChangeRecord, image: Row | None, known: Row | None
    ) -> tuple[Row | None, Proof]:
        """What a delete proves of the row: its image is partly invented under DEFAULT identity."""
        if image is not None and (self._shows_before.get(record.table) or record.key is None):
            return image, EXACT
        if known is not None:
            agrees = image is not None and all(known.get(n) == v for n, v in image.items())
            return known, EXACT if agrees else RECONSTRUCTED
        key = key_value(record.key)
        return (key, KEY_ONLY) if isinstance(key, dict) else (None, UNKNOWN)

    def _truncate(self, change: Change) -> Iterator[Transition]:
        table = change.archived.record.table
        for key in self._states.keys(table):
            last = self._states.drop(table, key)
            yield Transition(
                "delete", table, key, last, None, RECONSTRUCTED, None, _NOTHING, change
            )

    def _remember(self, table: str, key: str | None, version: Row) -> None:
        if key is not None:
            self._states.put(table, key, version)


def canonical(key: bytes | None) -> str | None:
    """A row key as text that is equal for equal keys; None for a table without one."""
    if key is None:
        return None
    value = key_value(key)
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_number
    )


def _number(value: object) -> float | str:
    """A fraction in a key: as a float if that is exact, else as its text."""
    number = float(value) if isinstance(value, Decimal) else math.inf
    exact = math.isfinite(number) and Decimal(repr(number)) == value
    return number if exact else str(value)


def _header(record: ChangeRecord, name: str) -> str | None:
    for header, value in record.headers:
        if header == name and value is not None:
            return canonical(value)
    return None


def _image(record: ChangeRecord, text: bytes | None) -> Row | None:
    """A row image; what ExtractNewRecordState added to a flattened row is not the row's."""
    image = row(text)
    if image is None or record.source is not None:
        return image
    return {name: value for name, value in image.items() if not name.startswith("__")}


def _filled(after: Row, before: Row | None) -> tuple[Row, frozenset[str]]:
    """The version, with untouched out-of-line values from before; and the columns still unknown."""
    missing = [name for name, value in after.items() if is_unavailable(value)]
    if not missing:
        return after, _NOTHING
    version = dict(after)
    unknown = set()
    for name in missing:
        if before is not None and name in before and not is_unavailable(before[name]):
            version[name] = before[name]
        else:
            del version[name]
            unknown.add(name)
    return version, frozenset(unknown)
