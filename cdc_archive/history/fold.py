"""The fold: from a stream of changes to each row's transitions, version by version. Pure.

What a message lacks is taken from the version before and marked; what is not known is not guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from cdc_archive.changelog.record import (
    OP_UNKNOWN_ROW,
    ArchivedRecord,
    ChangeRecord,
    JsonText,
)
from cdc_archive.decode.images import Row, key_value
from cdc_archive.decode.key_token import is_plain
from cdc_archive.decode.row_reader import RowReader
from cdc_archive.history.before import Before, agree, completed, is_partial, shown
from cdc_archive.history.missing import Missing
from cdc_archive.history.position import NEW_KEY, OLD_KEY, Change
from cdc_archive.history.states import RowStates, Version
from cdc_archive.history.transition import (
    EVERY_COLUMN,
    EXACT,
    KEY_ONLY,
    NOT_APPLICABLE,
    RECONSTRUCTED,
    UNKNOWN,
    Doubt,
    Origin,
    Proof,
    Transition,
    changed_columns,
)

ReadRow = Callable[[ArchivedRecord, JsonText | None], Row | None]
"""Reads a row image of a record; None if it is absent, null, or no object that can be read. What
Debezium left out is `UNAVAILABLE` in it, see `RowReader`."""

_NOTHING: Final[frozenset[str]] = frozenset()


Moved = tuple[str, str, Row | None, Proof, Version | None, frozenset[str], Doubt | None]


class Progress(NamedTuple):
    """What a fold knows beside the rows' versions: to go on where another one stopped.

    `shows_before`: by table, whether its updates carry a before image. `moved`: rows between the
    delete and the create of a change of key: table, new key, and what is known of it.
    """

    shows_before: Mapping[str, bool] = {}
    moved: tuple[Moved, ...] = ()


class Fold:
    """Applies changes one after the other.

    Args:
        states: the rows' last versions; empty at the beginning of an archive.
        read: reads row images.
        progress: what the fold knew that left `states`.
        missing: what the archive is known to lack.
    """

    def __init__(
        self,
        states: RowStates,
        read: ReadRow | None = None,
        progress: Progress | None = None,
        missing: Missing | None = None,
    ) -> None:
        self._states = states
        self._missing = missing or Missing()
        self._read = read or RowReader().row
        progress = progress or Progress()
        self._shows_before = dict(progress.shows_before)
        self._moved = {
            (table, key): Before(image, proof, version, unknown, doubt)
            for table, key, image, proof, version, unknown, doubt in progress.moved
        }
        self.untold = 0
        self.unreadable = 0

    def progress(self) -> Progress:
        """What another fold must know to go on from here."""
        moved = tuple((*place, *before) for place, before in self._moved.items())
        return Progress(dict(self._shows_before), moved)

    def apply(self, change: Change) -> Iterator[Transition]:
        """The transitions that a change makes: none, one, or one for each row of a TRUNCATE."""
        archived, record = change.archived, change.archived.record
        key = canonical(record.key)
        after = self._read(archived, record.after)
        self.unreadable += after is None and record.after not in (None, b"null")
        if record.op == "r" and after is not None:
            version, unknown, filled = completed(after, None)
            origin = Origin.of(archived)
            self._remember(record.table, key, Version(version, origin, filled, unknown))
        elif record.op == "t":
            yield from self._truncate(change)
        elif record.op == "d":
            deleted = self._delete(change, key, self._read(archived, record.before))
            if deleted is not None:
                yield deleted
        elif after is None:
            self._forget(record, key)
        elif record.op in ("c", "u", OP_UNKNOWN_ROW):
            written = self._write(change, key, self._read(archived, record.before), after)
            if written is not None:
                yield written

    def _forget(self, record: ChangeRecord, key: str | None) -> None:
        """A version that cannot be read: what is known of the row is no longer its last one."""
        if key is None:
            return
        self._states.drop(record.table, key)
        if key_in_header(record, OLD_KEY) is not None:
            self._moved.pop((record.table, key), None)

    def _write(
        self, change: Change, key: str | None, image: Row | None, after: Row
    ) -> Transition | None:
        """The transition, unless it is not told what happened to the row."""
        record, origin = change.archived.record, Origin.of(change.archived)
        table, old_key = record.table, key_in_header(record, OLD_KEY)
        sure = image is not None and self._shows_before.get(table) and not is_partial(image)
        needed = record.op != "c" and (not sure or is_partial(after))
        known = self._known(table, key) if needed else None
        if record.op == OP_UNKNOWN_ROW and known is None:
            self.untold += 1
            version, unknown, filled = completed(after, None)
            self._remember(table, key, Version(version, origin, filled, unknown))
            return None
        if record.op == "c" and old_key is None:
            version, unknown, filled = completed(after, None)
            self._remember(table, key, Version(version, origin, filled, unknown))
            return Transition(
                "create", table, key, None, version, NOT_APPLICABLE, None, unknown, change
            )
        before = self._before(change, key, old_key, image, after, known)
        version, unknown, filled = completed(after, before)
        self._remember(table, key, Version(version, origin, filled, unknown))
        proven = before.proof not in (UNKNOWN, KEY_ONLY)
        differing = changed_columns(before.row, version) if proven else None
        doubtful = before.doubtful(version)
        changed = differing - doubtful if differing and doubtful else differing
        return Transition(
            "update",
            table,
            key,
            before.row,
            version,
            before.proof,
            changed,
            unknown,
            change,
            before.origin,
            filled,
            doubtful,
            before.doubt,
        )

    def _before(
        self,
        change: Change,
        key: str | None,
        old_key: str | None,
        image: Row | None,
        after: Row,
        known: Version | None,
    ) -> Before:
        """What is known of the row before an update, or before a create that ends a move."""
        record = change.archived.record
        if old_key is not None:
            moved = self._moved.pop((record.table, key or ""), None)
            if moved is not None:
                return moved
            known = self._known(record.table, old_key)  # its delete did not come
            self._states.drop(record.table, old_key)
        elif image is not None and self._is_whole(image, after, known, change):
            self._shows_before[record.table] = True
            return shown(image, known)
        elif record.op == "u":
            self._shows_before[record.table] = False
        if known is not None:
            return self._reconstructed(known, change)
        return Before(None, UNKNOWN, None)

    def _is_whole(self, image: Row, after: Row, known: Version | None, change: Change) -> bool:
        """Whether an update's before image is the row, or only the columns of an index.

        With REPLICA IDENTITY USING INDEX an update of the index's columns shows these alone; the
        others are null, or invented: the row's own key too. Asked until a table has proven itself.
        """
        record = change.archived.record
        if self._shows_before.get(record.table):
            return True
        same = _same_key(record, image, after)
        return same and not self._contradicts(image, known, change)

    def _contradicts(self, image: Row, known: Version | None, change: Change) -> bool:
        """Whether an image is not what is known, and no missing message can be the reason."""
        if known is None or agree(image, known):
            return False
        return self._missing.doubt(known.origins(), Origin.of(change.archived)) is None

    def _reconstructed(self, known: Version, change: Change) -> Before:
        doubt = self._missing.doubt(known.origins(), Origin.of(change.archived))
        return Before(known.row, RECONSTRUCTED, known, known.unknown, doubt)

    def _delete(self, change: Change, key: str | None, image: Row | None) -> Transition | None:
        """The transition, unless the row goes on under another key."""
        record = change.archived.record
        before = self._evidence(change, image, self._known(record.table, key))
        if key is not None:
            self._states.drop(record.table, key)
        new_key = key_in_header(record, NEW_KEY)
        if new_key is not None:
            self._moved[record.table, new_key] = before
            return None
        return Transition(
            "delete",
            record.table,
            key,
            before.row,
            None,
            before.proof,
            None,
            _NOTHING,
            change,
            before.origin,
            doubtful=before.unknown,
            before_doubt=before.doubt,
        )

    def _evidence(self, change: Change, image: Row | None, known: Version | None) -> Before:
        """What a delete proves of the row: its image is partly invented under DEFAULT identity."""
        record = change.archived.record
        if image is not None and self._contradicts(image, known, change):
            self._shows_before[record.table] = False
        if image is not None and (self._shows_before.get(record.table) or record.key is None):
            return shown(image, known)
        if known is not None:
            if image == known.row:
                return Before(known.row, EXACT, known, known.unknown)
            return self._reconstructed(known, change)
        key = key_value(record.key)
        if isinstance(key, dict):
            columns = EVERY_COLUMN if image is None else frozenset(image) - key.keys()
            return Before(key, KEY_ONLY, None, columns)
        return Before(None, UNKNOWN, None)

    def _truncate(self, change: Change) -> Iterator[Transition]:
        table = change.archived.record.table
        for key in self._states.keys(table):
            last = self._known(table, key)
            self._states.drop(table, key)
            if last is not None:
                yield Transition(
                    "delete",
                    table,
                    key,
                    last.row,
                    None,
                    RECONSTRUCTED,
                    None,
                    _NOTHING,
                    change,
                    last.origin,
                    before_doubt=self._reconstructed(last, change).doubt,
                )

    def _known(self, table: str, key: str | None) -> Version | None:
        return None if key is None else self._states.get(table, key)

    def _remember(self, table: str, key: str | None, version: Version) -> None:
        if key is not None:
            self._states.put(table, key, version)


def canonical(key: bytes | None) -> str | None:
    """A row key as text that is equal for equal keys; None for a table without one."""
    if key is None:
        return None
    if is_plain(key):  # most are, and each change asks
        return key.decode()
    value = key_value(key)
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_number
    )


def _number(value: object) -> float | str:
    """A fraction in a key: as a float if that is exact, else as its text."""
    number = float(value) if isinstance(value, Decimal) else math.inf
    exact = math.isfinite(number) and Decimal(repr(number)) == value
    return number if exact else str(value)


def key_in_header(record: ChangeRecord, name: str) -> str | None:
    """The key that a header of a change of key names: `NEW_KEY` or `OLD_KEY`."""
    for header, value in record.headers:
        if header == name and value is not None:
            return canonical(value)
    return None


def _same_key(record: ChangeRecord, before: Row, after: Row) -> bool:
    """Whether two images agree on the key's columns, as those of an update do."""
    key = key_value(record.key)
    return not isinstance(key, dict) or all(before.get(name) == after.get(name) for name in key)
