"""Finding the records of one row, under whatever keys it stood. Pure.

Two looks at a table: the first at every key, for those that are asked for and for all changes of
keys; the second at the files that hold the row, for its records. The first gives no more keys than
the row (and whatever stood under its keys) can have had; which of the records are the row's own
follows from their order (`history/timeline.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord, ChangeRecord
from cdc_archive.decode.images import key_value, parsed
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.history.fold import canonical, key_in_header
from cdc_archive.history.position import NEW_KEY, OLD_KEY


class Move(NamedTuple):
    """A row's change of key, both canonical, and when; None: untold."""

    old: str
    new: str
    time_us: int | None


@dataclass
class Survey:
    """What a look at all records tells of a key.

    `found` are the canonical keys that are the one asked for, with their rank; `files` hold them;
    `columns` are the sets of key columns seen (empty: a key that is no object); `keyless` counts
    row changes without a key.
    """

    asked: AskedKey
    found: dict[str, int] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    columns: set[tuple[str, ...]] = field(default_factory=set)
    keyless: int = 0
    _updates: dict[TopicPartition, str] = field(default_factory=dict)

    def look(self, archived: ArchivedRecord) -> None:
        """Take one record into account; those of a partition in offset order."""
        record = archived.record
        if record.key is None:
            self.keyless += record.op != "t"
            return
        value = key_value(record.key)
        self.columns.add(tuple(value) if isinstance(value, dict) else ())
        if record.op == "u":
            self._updates[record.topic_partition] = archived.file
        self._compare(archived, value, record.key)
        for move in moves(record):
            self.moves.append(move)
            for key in (move.old, move.new):
                self._compare(archived, parsed(key), key.encode("utf-8", "surrogatepass"))

    def _compare(self, archived: ArchivedRecord, value: Any, key: bytes) -> None:
        rank = self.asked.rank(value)
        if rank is None:
            return
        self.found[canonical(key) or ""] = rank
        self.files.add(archived.file)
        witness = self._updates.get(archived.record.topic_partition)
        if archived.record.op == "d" and witness is not None:
            self.files.add(witness)

    def best(self) -> set[str]:
        """The keys that are meant: the same JSON value if there is one, else those of its text."""
        best = min(self.found.values(), default=0)
        return {key for key, rank in self.found.items() if rank == best}


def moves(record: ChangeRecord) -> Iterator[Move]:
    """The change of key that a record is half of; none for most."""
    to, origin = key_in_header(record, NEW_KEY), key_in_header(record, OLD_KEY)
    key = None if to is None and origin is None else canonical(record.key)
    if key is None:
        return
    if to is not None:
        yield Move(key, to, record.event_time_us)
    if origin is not None:
        yield Move(origin, key, record.event_time_us)


def reachable(keys: Collection[str], known: Iterable[Move]) -> set[str]:
    """All keys that a row can have come from or gone to which stood under one of `keys`.

    A path of moves leads on only in the order of time.
    """
    forward: dict[str, list[tuple[str, int | None]]] = {}
    backward: dict[str, list[tuple[str, int | None]]] = {}
    for move in known:
        forward.setdefault(move.old, []).append((move.new, move.time_us))
        time = None if move.time_us is None else -move.time_us
        backward.setdefault(move.new, []).append((move.old, time))
    return _reached(keys, forward) | _reached(keys, backward)


def _reached(
    keys: Collection[str], steps: Mapping[str, Sequence[tuple[str, int | None]]]
) -> set[str]:
    """Earliest arrival at each key, by steps that are not before the arrival where they begin."""
    arrival: dict[str, float] = dict.fromkeys(keys, float("-inf"))
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        for target, time in steps.get(key, ()):
            when = arrival[key] if time is None else time
            if when >= arrival[key] and when < arrival.get(target, float("inf")):
                arrival[target] = when
                waiting.append(target)
    return set(arrival)


class RowSearch:
    """The second look.

    Args:
        found: what the first look told.
    """

    def __init__(self, found: Survey) -> None:
        self.asked = found.best()
        self.keys = reachable(self.asked, found.moves)
        self._files = found.files if self.keys <= found.found.keys() else None

    def may_hold(self, file: FileEntry) -> bool:
        """Whether a file of the table can hold what is looked for."""
        return self._files is None or file.key in self._files or "t" in file.counts

    def of_row(self, records: Iterable[ArchivedRecord]) -> Iterator[ArchivedRecord]:
        """Of a partition's records those of these keys and the TRUNCATEs.

        Before a delete stands the newest update of any row, which tells whether the table's
        messages bear before images.
        """
        witness: ArchivedRecord | None = None
        for archived in records:
            record = archived.record
            if record.op == "t":
                yield archived
            elif canonical(record.key) in self.keys:
                if record.op == "d" and witness is not None:
                    yield witness
                    witness = None
                yield archived
            elif record.op == "u" and record.key is not None:
                witness = archived
