"""What a mapping wants to know beside a change, and how to read it out of a record. Pure.

A pass over the archive gathers it before the first event is made: `Witnesses` says of which tables
and prefixes, and what each of their records tells.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any, Final

from cdc_archive.audit.actor_rules import ActorSource
from cdc_archive.audit.content import UNREADABLE, read
from cdc_archive.audit.expression import MISFITS
from cdc_archive.audit.mapping import Mapping
from cdc_archive.audit.table_names import fits_any
from cdc_archive.changelog.record import OP_MESSAGE, ChangeRecord
from cdc_archive.decode.images import Row, row

_CUT_OUT: Final = re.compile(rb"[\x01-\x05]")
_OPERATIONS: Final = {"c": "create", "u": "update"}


class Witnesses:
    """The actor sources and look-ups of a mapping that stand on other messages.

    Args:
        mapping: the mapping.

    Attributes:
        messages: numbers of the sources that are logical messages (records of op `m`).
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self.messages = [number for number, kind in mapping.sources_beside() if kind == "message"]
        self._rows = [number for number, kind in mapping.sources_beside() if kind == "row"]
        self._of_table: dict[str, tuple[list[int], list[str]]] = {}

    @property
    def wants_anything(self) -> bool:
        """Whether there is anything to gather."""
        return bool(self.messages or self._rows or self._mapping.lookup)

    def of_table(self, table: str) -> tuple[list[int], list[str]]:
        """The sources that a row of this table may be, and the look-ups that it may be found by."""
        known = self._of_table.get(table)
        if known is None:
            sources, lookups = self._mapping.actor.source, self._mapping.lookup
            known = self._of_table[table] = (
                [number for number in self._rows if fits_any(table, sources[number].row or ())],
                [name for name, one in lookups.items() if fits_any(table, one.tables)],
            )
        return known

    def told(self, number: int, record: ChangeRecord, image: Row | None) -> Any:
        """What a record tells as actor source `number`; None: nothing.

        It testifies to the changes of its transaction only: a message that is not transactional
        (its position has no transaction) testifies to none, and need not be asked.

        Args:
            number: a source of `messages`, for a record of op `m`, or one that `of_table` names.
            record: the message.
            image: its row after the change; not looked at for a logical message.
        """
        source = self._mapping.actor.source[number]
        if source.kind == "message":
            return _message(source, record)
        return _row(source, record, image)


def _message(source: ActorSource, record: ChangeRecord) -> Any:
    if record.op != OP_MESSAGE or record.envelope is None:
        return None
    envelope = row(_CUT_OUT.sub(b"null", record.envelope)) or {}
    if "message" not in envelope and isinstance(envelope.get("payload"), dict):
        envelope = envelope["payload"]
    message = envelope.get("message")
    if not isinstance(message, dict):
        return None
    prefix = message.get("prefix")
    if not isinstance(prefix, str) or not _is_one_of(prefix, source.message or []):
        return None
    found = read(message.get("content"), source.content)
    return _part(source, found)


def _row(source: ActorSource, record: ChangeRecord, image: Row | None) -> Any:
    operation = _OPERATIONS.get(record.op)
    if operation is None or image is None:
        return None
    return _part(source, {"row": image, "op": operation, "table": record.table})


def _part(source: ActorSource, found: Any) -> Any:
    if source.value is None or found == UNREADABLE:
        return found
    try:
        return source.value.of(found)
    except MISFITS:
        return UNREADABLE


def _is_one_of(prefix: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(prefix, pattern) for pattern in patterns)
