"""The versions of a row, from its transitions; through changes of its key. Pure.

A *life* is one row, from its creation to its end, under whatever keys it stood. A key may belong to
several lives, one after the other: it is free again once its row is deleted or has moved away.
Nothing is guessed: a life that the archive first sees by an update has no beginning, one whose end
was not seen has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from cdc_archive.changelog.record import OP_UNKNOWN_ROW
from cdc_archive.history.fold import ReadRow, canonical, key_in_header
from cdc_archive.history.position import NEW_KEY, OLD_KEY, Change
from cdc_archive.history.row_version import Life, RowVersion, ended, state, unseen, written
from cdc_archive.history.transition import Transition


class _Leaving(NamedTuple):
    """A row whose delete half of a key change was seen, but not yet the create."""

    life: Life
    old_key: str
    change: Change


class Timeline:
    """Applies the changes of some keys, in commit order, each with the transitions that it makes.

    Args:
        keys: canonical keys; changes of others are passed over.
        read: reads row images, as the fold does.
    """

    def __init__(self, keys: Collection[str], read: ReadRow) -> None:
        self._keys = keys
        self._read = read
        self._standing: dict[str, Life] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._pushed: dict[str, tuple[Life, str | None]] = {}
        self.lives: list[Life] = []

    def apply(self, change: Change, made: Sequence[Transition]) -> Iterator[RowVersion]:
        """The versions that a change makes: none, one, or (TRUNCATE) one for each row."""
        record = change.archived.record
        if record.op == "t":
            yield from self._truncate(change, made)
            return
        key = canonical(record.key)
        if key is None or key not in self._keys:
            return
        transition = made[0] if made else None
        if record.op == "d":
            yield from self._depart(change, key, transition)
            return
        origin = key_in_header(record, OLD_KEY) if record.op == "c" else None
        if origin is not None:
            yield self._arrive(change, key, origin, transition)
            return
        yield from self._settled(key)
        follow = self._create if record.op == "c" else self._go_on
        yield follow(change, key, transition)

    def finish(self) -> Iterator[RowVersion]:
        """Key changes of which the archive holds the delete half only; call once, at the end."""
        for key in [*self._leaving]:
            yield from self._settled(key)

    def _create(self, change: Change, key: str, transition: Transition | None) -> RowVersion:
        notes = ("the row that stood under this key before was not seen to end",)
        there = self._standing.get(key)
        if there is not None:
            there.overtaken = change
        life = self._begin(key)
        return written(life, "create", key, change, transition, self._read, notes if there else ())

    def _go_on(self, change: Change, key: str, transition: Transition | None) -> RowVersion:
        life = self._standing.get(key) or self._begin(key)
        record = change.archived.record
        if transition is not None:
            return written(life, "update", key, change, transition, self._read)
        image = self._read(change.archived, record.after)
        if record.op in ("r", OP_UNKNOWN_ROW) and image is not None:
            return state(life, "snapshot" if record.op == "r" else "state", key, change, image)
        return written(life, "update", key, change, None, self._read)

    def _depart(
        self, change: Change, key: str, transition: Transition | None
    ) -> Iterator[RowVersion]:
        """A delete: the row's end, or the first half of its move to another key."""
        transaction = change.position.transaction
        target = key_in_header(change.archived.record, NEW_KEY)
        yield from self._settled(key)
        life = self._take(key, transaction) or self._begin(key)
        if self._standing.get(key) is life:
            del self._standing[key]
        if target is None:
            yield ended(life, "delete", key, change, transition)
            return
        yield from self._settled(target)
        self._leaving[target] = _Leaving(life, key, change)

    def _arrive(
        self, change: Change, key: str, origin: str, transition: Transition | None
    ) -> RowVersion:
        """The create half of a key change."""
        transaction = change.position.transaction
        leaving = self._leaving.pop(key, None)
        life = self._standing.pop(origin, None) if leaving is None else leaving.life
        if life is None:
            life = self._begin(origin, standing=False)
        pushed = self._standing.get(key)
        if pushed is not None and pushed is not life:
            pushed.overtaken = change
            self._pushed[key] = (pushed, transaction)
        self._stand(life, key)
        departure = None if leaving is None else leaving.change
        return written(
            life, "key_change", key, change, transition, self._read, (), origin, departure
        )

    def _settled(self, key: str) -> Iterator[RowVersion]:
        """If a row was to come to this key and was not seen to: it stands there, unseen."""
        leaving = self._leaving.pop(key, None)
        if leaving is None:
            return
        there = self._standing.get(key)
        if there is not None:
            there.overtaken = leaving.change
        self._stand(leaving.life, key)
        yield unseen(leaving.life, key, leaving.change, leaving.old_key)

    def _truncate(self, change: Change, made: Sequence[Transition]) -> Iterator[RowVersion]:
        by_key = {one.key: one for one in made}
        for key in [*self._leaving]:
            yield from self._settled(key)
        for key in sorted(self._standing):
            life = self._standing.pop(key)
            yield ended(life, "truncate", key, change, by_key.get(key))

    def _begin(self, key: str, *, standing: bool = True) -> Life:
        life = Life(len(self.lives), [key])
        self.lives.append(life)
        if standing:
            self._standing[key] = life
        return life

    def _stand(self, life: Life, key: str) -> None:
        self._standing[key] = life
        if key not in life.keys:
            life.keys.append(key)

    def _take(self, key: str, transaction: str | None) -> Life | None:
        """The row that a delete is of: in a transaction that moves rows onto keys that are not
        free yet (a swap), the one that stood there first.
        """
        pushed = self._pushed.pop(key, None)
        if pushed is not None and transaction is not None and pushed[1] == transaction:
            pushed[0].overtaken = None
            return pushed[0]
        return self._standing.get(key)
