"""A version of a row: one step of its history, with what each value in it is proven by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cdc_archive.decode.images import Row, is_unavailable, parsed
from cdc_archive.history.difference import (
    ABSENT,
    NOT_KNOWN,
    Difference,
    Knowledge,
    Shown,
    disagreement,
    new_value,
    old_value,
)
from cdc_archive.history.fold import ReadRow
from cdc_archive.history.position import Change
from cdc_archive.history.transition import (
    EXACT,
    NOT_APPLICABLE,
    RECONSTRUCTED,
    UNKNOWN,
    Doubt,
    Origin,
    Proof,
    Transition,
)

Op = Literal["create", "update", "key_change", "delete", "truncate", "snapshot", "state"]
STATES: Final = ("snapshot", "state")
"""A snapshot's row, and a flattened row that does not tell its operation: states, not changes."""
ENDS: Final = ("delete", "truncate")
_NOTHING: Final[frozenset[str]] = frozenset()
_DOUBTS: Final[Mapping[Doubt, str]] = {
    "gap": "the version before may not be the last one: messages between them were lost",
    "quarantine": "the version before may not be the last one: messages between are in quarantine",
}


@dataclass(frozen=True, slots=True)
class RowVersion:
    """One step of a row.

    `key` is where the row stands after it (before it, for an end), `old_key` where it stood before
    a key change. `before_proof` says what proves the differences' old values, taken together;
    `transition` is None for states and for what could not be read. `departure` is the delete half
    of a key change. `notes` are sentences on what is odd.
    """

    life: int
    op: Op
    key: str
    after: Row | None
    differences: tuple[Difference, ...]
    before_proof: Proof
    unknown_columns: frozenset[str]
    change: Change
    shown_by: dict[str, Origin]
    transition: Transition | None = None
    old_key: str | None = None
    departure: Change | None = None
    notes: tuple[str, ...] = ()

    @property
    def time_us(self) -> int | None:
        """Event time in microseconds since 1970 UTC; None if nothing tells it."""
        return self.change.archived.record.event_time_us


@dataclass
class Life:
    """A row: its number, the keys under which it stood, and what is known of it now.

    `overtaken` is the change by which another row stands under its key, though it was not seen to
    leave: it was gone by then.
    """

    number: int
    keys: list[str]
    known: Knowledge = field(default_factory=Knowledge)
    first_seen_by: str = ""
    versions: int = 0
    overtaken: Change | None = None


def written(
    life: Life,
    op: Op,
    key: str,
    change: Change,
    transition: Transition | None,
    read: ReadRow,
    notes: tuple[str, ...] = (),
    origin: str | None = None,
    departure: Change | None = None,
) -> RowVersion:
    """The version that the row has from now on; without a transition nothing is known of it."""
    if transition is None:
        life.known = Knowledge()
        notes += ("the row in this message cannot be read",)
        return _version(life, op, key, change, notes=notes, old_key=origin, departure=departure)
    after, proof = transition.after or {}, transition.before_proof
    unknown = transition.unknown_columns
    notes += _odd(life, transition)
    differences = _differences(life.known, transition.before, after, proof, unknown)
    hidden = _hidden(read(change.archived, change.archived.record.before))
    differences = tuple(_repaired(one, hidden, life.known) for one in differences)
    if origin is not None:
        differences = tuple(_proven_by_key(one, parsed(origin)) for one in differences)
    life.known.learn(after, after.keys() - transition.filled, unknown, Origin.of(change.archived))
    return _version(life, op, key, change, transition, differences, proof, notes, origin, departure)


def unseen(life: Life, key: str, departure: Change, origin: str) -> RowVersion:
    """A change of key of which the archive holds the delete half only."""
    life.known = Knowledge()
    notes = ("the message that shows the row under its new key is not in the archive",)
    return _version(life, "key_change", key, departure, notes=notes, old_key=origin)


def _hidden(image: Row | None) -> frozenset[str]:
    return frozenset(name for name, value in (image or {}).items() if is_unavailable(value))


def _repaired(one: Difference, hidden: frozenset[str], known: Knowledge) -> Difference:
    """A value that a before image leaves out is that of an earlier message."""
    if one.column not in hidden or one.old.proof != EXACT:
        return one
    return one._replace(old=Shown(RECONSTRUCTED, one.old.value, known.origin(one.column)))


def _proven_by_key(one: Difference, key: Any) -> Difference:
    """A key column's old value: the key stands in the message itself."""
    if not isinstance(key, dict) or one.column not in key:
        return one
    known = one.old.proof not in (UNKNOWN, NOT_APPLICABLE)
    return one._replace(old=Shown(EXACT, one.old.value if known else key[one.column]))


def _odd(life: Life, transition: Transition) -> tuple[str, ...]:
    """What tells that a change before this one is missing, or may be."""
    if transition.before_doubt is not None:
        return (_DOUBTS[transition.before_doubt],)
    if transition.before_proof != EXACT or transition.before is None:
        return ()
    columns = disagreement(transition.before, life.known.row)
    if not columns:
        return ()
    told = ", ".join(sorted(columns))
    return (f"the before image is not the version before it: {told} changed unseen",)


def _differences(
    known: Knowledge, before: Row | None, after: Row, proof: Proof, unknown: frozenset[str]
) -> tuple[Difference, ...]:
    """Of a new row all columns; else those that differ. One that is new or gone and null does not
    differ: the table was altered, not the row.
    """
    names = [*after, *(name for name in before or {} if name not in after and name not in unknown)]
    told = (
        Difference(
            name,
            NOT_KNOWN
            if proof == RECONSTRUCTED and _is_added(name, before, after)
            else old_value(name, before, proof, known),
            new_value(name, after, unknown),
        )
        for name in names
    )
    if proof == NOT_APPLICABLE:
        return tuple(told)
    return tuple(one for one in told if one.old.proof == UNKNOWN or one.old.value != one.new.value)


def _is_added(column: str, before: Row | None, after: Row) -> bool:
    """Whether an ALTER TABLE added a column since the last archived version, with a value."""
    return before is not None and column not in before and after.get(column) is not None


def state(life: Life, op: Op, key: str, change: Change, image: Row) -> RowVersion:
    """A row as it stood; what differs from the version before changed at an unknown time."""
    unknown = _hidden(image)
    shown = {name: value for name, value in image.items() if name not in unknown}
    before = life.known.row
    proof: Proof = NOT_APPLICABLE if before is None else RECONSTRUCTED
    differences = _differences(life.known, before, shown, proof, unknown)
    notes: tuple[str, ...] = ()
    if before is not None and differences:
        notes = ("this state is not the version before it: changes between them were not seen",)
    life.known.learn(shown, shown, unknown, Origin.of(change.archived))
    return _version(life, op, key, change, None, differences, proof, notes)


def ended(
    life: Life, op: Op, key: str, change: Change, transition: Transition | None
) -> RowVersion:
    """The row's end: all that is known of it is what was lost."""
    before = life.known.row if transition is None else transition.before
    proof: Proof = RECONSTRUCTED if before is not None else UNKNOWN
    notes: tuple[str, ...] = ()
    if transition is not None:
        proof, notes = transition.before_proof, _odd(life, transition)
    names = [*(before or {}), *sorted(life.known.unknown.difference(before or {}))]
    differences = tuple(
        Difference(name, old_value(name, before, proof, life.known), ABSENT) for name in names
    )
    if op == "delete":
        differences = tuple(_proven_by_key(one, parsed(key)) for one in differences)
    return _version(life, op, key, change, transition, differences, proof, notes)


def _version(
    life: Life,
    op: Op,
    key: str,
    change: Change,
    transition: Transition | None = None,
    differences: tuple[Difference, ...] = (),
    proof: Proof = UNKNOWN,
    notes: tuple[str, ...] = (),
    old_key: str | None = None,
    departure: Change | None = None,
) -> RowVersion:
    life.first_seen_by = life.first_seen_by or op
    life.versions += 1
    ended = op in ENDS
    return RowVersion(
        life.number,
        op,
        key,
        None if ended else life.known.row,
        differences,
        proof,
        _NOTHING if ended else life.known.unknown,
        change,
        {} if ended else life.known.origins(),
        transition,
        old_key,
        departure,
        notes,
    )
