"""What stands beside the changes of a log, gathered into memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cdc_archive.audit.beside import Witnesses
from cdc_archive.audit.context import Testimony
from cdc_archive.audit.mapping import Mapping
from cdc_archive.changelog.record import OP_MESSAGE, ArchivedRecord
from cdc_archive.decode.images import Row, row
from cdc_archive.history.position import Change, position
from cdc_archive.history.transition import Origin


class MemoryContext:
    """See the port `Context`. Its look-ups know what they are told, whatever the time.

    Args:
        mapping: names the sources.
        records: of the log.
        rows: for each look-up, rows by key.
    """

    def __init__(
        self,
        mapping: Mapping,
        records: Iterable[ArchivedRecord] = (),
        rows: dict[str, dict[Any, Row]] | None = None,
    ) -> None:
        self._rows = rows or {}
        self._told: dict[tuple[int, str | None, str], list[Testimony]] = {}
        witnesses = Witnesses(mapping)
        for archived in records:
            self._take(witnesses, archived)

    def _take(self, witnesses: Witnesses, archived: ArchivedRecord) -> None:
        record, where = archived.record, position(archived.record)
        is_message = record.op == OP_MESSAGE
        sources = witnesses.messages if is_message else witnesses.of_table(record.table)[0]
        for number in sources:
            value = witnesses.told(number, record, row(record.after))
            if value is not None and where.transaction is not None:
                key = (number, where.name, where.transaction)
                self._told.setdefault(key, []).append(Testimony(value, Origin.of(archived)))

    def testimony(self, source: int, change: Change) -> Sequence[Testimony]:
        """See the port."""
        where = change.position
        return self._told.get((source, where.name, where.transaction or ""), ())

    def lookup(self, name: str, key: Any, change: Change) -> Row | None:
        """See the port."""
        return self._rows.get(name, {}).get(key)
