"""Follows the changes of one connector as they come, to the events that they prove.

It is replay's fold, its redeliveries and its telling, over a state that never ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from cdc_archive.audit.build import Builder
from cdc_archive.audit.mapping import Mapping
from cdc_archive.audit.table_names import fits_any
from cdc_archive.history.fold import Fold, ReadRow
from cdc_archive.history.position import Change
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.beside import Beside, LookupStates
from cdc_archive.replay.disk_states import DiskStates, text_bytes
from cdc_archive.replay.progress import Progress
from cdc_archive.replay.report import Report
from cdc_archive.replay.telling import TakeDoubt, Telling, Told
from cdc_archive.watch.recent import RecentSeen

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS progress (connector BLOB PRIMARY KEY, value BLOB);
"""


class Follower:
    """One connector.

    Args:
        database: with the tables of replay's `disk_states` and `beside`, `recent` and `SCHEMA`.
        connector: its name.
        rules: names the look-ups.
        read: reads row images.
        beside: what stands beside the changes.
        doubt: told of what cannot be proven.
        known: how far an earlier process came.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        connector: str,
        rules: Mapping,
        read: ReadRow,
        beside: Beside,
        doubt: TakeDoubt,
        known: Progress,
    ) -> None:
        self._database = database
        self._connector = connector
        self._rules = rules
        self._read = read
        self._beside = beside
        self._rows = DiskStates(database, connector)
        self._fold = Fold(self._rows, read, known.fold)
        self._redeliveries = _AskedTwice(RecentSeen(database), known.highest)
        builder = Builder(rules, beside)
        self._telling = Telling(self._fold, self._redeliveries, builder, Asked(), Report(), doubt)
        self._lookups: dict[str, _Lookup] = {}

    @property
    def between_transactions(self) -> bool:
        """Whether no event waits for the end of its transaction."""
        return self._telling.between_transactions

    def take(self, change: Change) -> Iterator[Told]:
        """The events that are told now that this change has come, in the order of commits."""
        if not self._redeliveries.is_new(change):
            return
        table = change.archived.record.table
        for name, lookup in self._rules.lookup.items():
            if fits_any(table, lookup.tables):
                self._of_lookup(name, lookup.by).take(change)
        yield from self._telling.take(change)

    def close(self) -> Iterator[Told]:
        """The events of a transaction that is over."""
        return self._telling.close()

    def save(self) -> None:
        """Write what is held, and how far it has come."""
        self._rows.flush()
        for one in self._lookups.values():
            one.rows.flush()
        progress = Progress(fold=self._fold.progress(), highest=dict(self._redeliveries.highest))
        progress.save(self._database, self._connector)

    def _of_lookup(self, name: str, by: str) -> _Lookup:
        known = self._lookups.get(name)
        if known is None:
            rows = DiskStates(self._database, f"{name}\0{self._connector}")
            states = LookupStates(self._database, rows, name, by)
            known = self._lookups[name] = _Lookup(self._connector, rows, states, self._read)
            if not self._beside.has_connector(name, self._connector):
                self._beside.add_connector(name, self._connector)
        return known


class _AskedTwice(Redeliveries):
    """Gives the same answer about the same change: look-ups ask before the telling does."""

    _last: Change | None = None
    _new = False

    def is_new(self, change: Change) -> bool:
        if change is not self._last:
            self._last, self._new = change, super().is_new(change)
        return self._new


class _Lookup:
    """The rows of a look-up, with all their versions of late."""

    def __init__(
        self, connector: str, rows: DiskStates, states: LookupStates, read: ReadRow
    ) -> None:
        self._connector = text_bytes(connector)
        self.rows = rows
        self._states = states
        self._fold = Fold(states, read)

    def take(self, change: Change) -> None:
        time_us = change.archived.record.event_time_us or 0
        self._states.at = (self._connector, change.place.packed(), time_us)
        for _ in self._fold.apply(change):
            pass
