"""Finding the records of one row, under whatever keys it stood.

Two looks at a table: the first at every key, for those that are asked for and for all changes of
keys, but for files whose key statistics tell that they hold none of it; the second at the files
that hold the row, for its records. The first gives no more keys than
the row (and whatever stood under its keys) can have had; which of the records are the row's own
follows from their order (`history/timeline.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.format.key_filter import KeyFilter, key_hash
from cdc_archive.archive.format.pattern_block import Glance
from cdc_archive.archive.reader.woven import NamedFile, Place, bare, place, weave
from cdc_archive.changelog.record import ArchivedRecord, ChangeRecord, Headers
from cdc_archive.decode.images import key_value, parsed
from cdc_archive.decode.key_token import UNUSUAL, encoded, token
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.history.fold import canonical, key_in_header
from cdc_archive.history.position import NEW_KEY, OLD_KEY


class Move(NamedTuple):
    """A row's change of key, both canonical, and when; None: untold."""

    old: str
    new: str
    time_us: int | None


Files = Callable[[], Iterable[NamedFile]]
"""The files of a table in one partition, in the order of its log; may be asked again."""


class ReadSome(Protocol):
    """Gives the records of a file that a glance takes for wanted, in offset order."""

    def __call__(self, named: NamedFile, glance: Glance | None) -> Iterator[ArchivedRecord]:
        """None: all records."""
        ...


class End(NamedTuple):
    """The delete of a key that was looked for: number of its partition, place, canonical key."""

    partition: int
    place: Place
    key: str


@dataclass
class Survey:
    """What a look at a table's records tells of a key.

    `found` are the canonical keys that are the one asked for, with their rank; `files` hold them;
    `columns` are the sets of key columns seen (empty: a key that is no object); `keyless` counts
    row changes without a key; `ends` are the deletes of keys that were looked for.
    """

    asked: AskedKey
    found: dict[str, int] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    columns: set[tuple[str, ...]] = field(default_factory=set)
    keyless: int = 0
    ends: set[End] = field(default_factory=set)
    _moving: tuple[Headers, bool] = ((), False)
    _counted: set[str] = field(default_factory=set)
    _kept: dict[str, list[ArchivedRecord]] | None = field(default_factory=dict)
    _room: int = 10_000

    def __post_init__(self) -> None:
        asked = self.asked.tokens()
        self._tokens = None if asked is None else {*map(encoded, asked)}

    def count(self, file: FileEntry) -> None:
        """Count a file's records without a key, if its key statistics tell."""
        if isinstance(file.keys, KeyFilter):
            self.keyless += file.keys.keyless
            self._counted.add(file.key)

    def hashes(self) -> frozenset[int] | None:
        """Hashes of all keys that are looked for: those asked for, and where their rows moved from
        or to; None: any. More than before, if what was looked at since has told of a move.
        """
        if self._tokens is None:
            return None
        self._tokens |= {token(encoded(key)) for key in reachable(self.best(), self.moves)}
        return frozenset(map(key_hash, self._tokens))

    def glance(self, _op: str, key: bytes | None, headers: Headers) -> bool:
        """Whether a record tells of a key that is looked for, of a change of keys, or of no key."""
        if headers is not self._moving[0]:
            self._moving = headers, any(name in (NEW_KEY, OLD_KEY) for name, _ in headers)
        return self._moving[1] or key is None or self._tokens is None or token(key) in self._tokens

    def read(self, read: ReadSome, named: NamedFile) -> Iterator[ArchivedRecord]:
        """What a glance takes for wanted in a file; kept, so that it need not be read again, unless
        that were too much.
        """
        kept: list[ArchivedRecord] = []
        if self._kept is not None:
            self._kept[named.file.key] = kept
        for archived in read(named, self.glance):
            if self._kept is not None:
                kept.append(archived)
                self._room -= 1
                if self._room < 0:
                    self._kept = None
            yield archived

    def kept(self, file: str) -> list[ArchivedRecord] | None:
        """What was kept of a file."""
        return None if self._kept is None else self._kept.get(file)

    def look(self, archived: ArchivedRecord, partition: int, *, again: bool = False) -> None:
        """Take one record into account.

        Args:
            archived: the record.
            partition: number of its partition.
            again: its file was looked at before, for fewer keys.
        """
        record = archived.record
        if record.key is None:
            self.keyless += record.op != "t" and not again and archived.file not in self._counted
            return
        value = key_value(record.key)
        self.columns.add(tuple(value) if isinstance(value, dict) else ())
        if record.op == "d":
            self.ends.add(End(partition, place(archived), canonical(record.key) or ""))
        self._compare(archived, value, record.key)
        for move in moves(record):
            self.moves.append(move)
            for key in (move.old, move.new):
                self._compare(archived, parsed(key), encoded(key))

    def _compare(self, archived: ArchivedRecord, value: Any, key: bytes) -> None:
        rank = self.asked.rank(value)
        if rank is not None:
            self.found[canonical(key) or ""] = rank
            self.files.add(archived.file)

    def best(self) -> set[str]:
        """The keys that are meant: the same JSON value if there is one, else those of its text."""
        best = min(self.found.values(), default=0)
        return {key for key, rank in self.found.items() if rank == best}


def survey(asked: AskedKey, partitions: Sequence[Files], read: ReadSome) -> Survey:
    """Look for a key in the files of a table that can hold it, and for what its row moved to.

    Where a file has key statistics they tell; others are read. What a move tells of other keys
    makes it look again, for these.
    """
    found, hashes, looked = Survey(asked), frozenset[int](), False
    while True:
        due = found.hashes()
        more = None if due is None else due - hashes
        if looked and not more:
            return found
        for number, files in enumerate(partitions):
            named = []
            for one in files():
                if not looked:
                    found.count(one.file)
                if one.file.may_hold(more):
                    named.append(bare(one))
            for archived in weave(named, partial(found.read, read)):
                found.look(archived, number, again=looked)
        hashes, looked = due or hashes, True


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


class RowKeys:
    """The keys that a row had, and which records and files have them.

    Args:
        found: what the first look told.
    """

    def __init__(self, found: Survey) -> None:
        self.asked = found.best()
        self.keys = reachable(self.asked, found.moves)
        self._tokens = {encoded(UNUSUAL), *(token(encoded(key)) for key in self.keys)}
        self._hashes = frozenset(map(key_hash, self._tokens))

    def in_file(self, file: FileEntry) -> bool:
        """Whether a file may hold records under one of them."""
        return bool(self.keys) and file.may_hold(self._hashes)

    def has(self, key: bytes | None) -> bool:
        """Whether a message's key may be one of them; asked of each record, so it is quick."""
        return key is not None and token(key) in self._tokens

    def holds(self, key: bytes | None) -> bool:
        """Whether a message's key is one of them."""
        return self.has(key) and canonical(key) in self.keys


class RowSearch(RowKeys):
    """The second look.

    Args:
        found: what the first look told.
        partitions: where it looked.
        read: reads their files.
    """

    def __init__(self, found: Survey, partitions: Sequence[Files], read: ReadSome) -> None:
        super().__init__(found)
        self._found = found
        self._read = read
        self._elsewhere = not self.keys <= found.found.keys()
        self._witnesses = {*self._before_ends(found, partitions)}
        self._files = found.files | self._witnesses

    def _before_ends(self, found: Survey, partitions: Sequence[Files]) -> Iterator[str]:
        """The files that hold the newest update before each delete of the row."""
        for number, files in enumerate(partitions):
            ends = [end for at, end, key in found.ends if at == number and key in self.keys]
            if ends:
                yield from filter(None, map(Updates(files(), self._read).newest_before, ends))

    def may_hold(self, file: FileEntry) -> bool:
        """Whether a file of the table can hold what is looked for."""
        known = file.key in self._files or "t" in file.counts
        return known or (self._elsewhere and self.in_file(file))

    def read(self, named: NamedFile) -> Iterator[ArchivedRecord]:
        """The records of a file that `of_row` has to see."""
        kept = self._found.kept(named.file.key)
        if (
            kept is not None
            and named.file.key not in self._witnesses
            and "t" not in named.file.counts
        ):
            return (one for one in kept if self.has(one.record.key))
        if named.file.key in self._witnesses:
            return self._read(named, lambda op, key, _: op in ("t", "u") or self.has(key))
        return self._read(named, lambda op, key, _: op == "t" or self.has(key))

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
            elif self.holds(record.key):
                if record.op == "d" and witness is not None:
                    yield witness
                    witness = None
                yield archived
            elif record.op == "u" and record.key is not None:
                witness = archived


class Updates:
    """Where a partition's updates stand.

    Args:
        files: all its files of a table.
        read: reads one.
    """

    def __init__(self, files: Iterable[NamedFile], read: ReadSome) -> None:
        holding = [bare(one) for one in files if "u" in one.file.counts]
        self._files = sorted(holding, key=_ends_at, reverse=True)
        self._read = read
        self._known: dict[str, list[Place]] = {}

    def newest_before(self, end: Place) -> str | None:
        """The file that holds the newest update before a place; None if there is none."""
        newest, file = (-1, -1), None
        for named in self._files:
            if _ends_at(named) <= newest:
                break
            places = self._places(named) if _begins_at(named) < end else []
            count = bisect_left(places, end)
            if count and places[count - 1] > newest:
                newest, file = places[count - 1], named.file.key
        return file

    def _places(self, named: NamedFile) -> list[Place]:
        known = self._known.get(named.file.key)
        if known is None:
            found = self._read(named, lambda op, key, _: op == "u" and key is not None)
            known = self._known[named.file.key] = [place(one) for one in found]
        return known


def _begins_at(named: NamedFile) -> Place:
    return named.incarnation, named.file.first_offset


def _ends_at(named: NamedFile) -> Place:
    return named.incarnation, named.file.last_offset
