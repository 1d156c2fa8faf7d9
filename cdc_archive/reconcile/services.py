"""Which service an event belongs to: the one that published it, or should have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cdc_archive.audit.table_names import fits_any
from cdc_archive.decode.images import Row

UNTOLD: Final = ""
"""The service of a published event that does not tell it, and that no rule knows."""


class Rule(NamedTuple):
    """A service, and what is its: event types, or ends of tables' names; both with wildcards."""

    name: str
    types: Sequence[str] = ()
    tables: Sequence[str] = ()


class Services:
    """Knows services by rules; the first that fits decides.

    Args:
        rules: in their order. A rule fits an event's type, or (what only a proven event has) the
            table whose change it tells of.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._of = lru_cache(maxsize=4096)(self._found)

    def of_expected(self, kind: str, evidence: Row) -> str:
        """The service of a proven event; without a rule, its connector and schema (`pg.app`).

        Args:
            kind: the event's type.
            evidence: what proves it, as replay tells it.
        """
        table: str = evidence["table"]
        return self._of(kind, table) or _database_of(evidence["topic"], table)

    def of_published(self, kind: str, told: Any = None) -> str:
        """The service of a published event: what it tells itself, else by the rules.

        Args:
            kind: the event's type.
            told: what stands at `reconcile.service_path` or in the header; None: nothing.
        """
        if isinstance(told, bytes):
            told = told.decode("utf-8", "replace")
        return str(told) if told else self._of(kind, None)

    def _found(self, kind: str, table: str | None) -> str:
        for rule in self._rules:
            of_type = any(fnmatchcase(kind, pattern) for pattern in rule.types)
            if of_type or (table is not None and fits_any(table, rule.tables)):
                return rule.name
        return UNTOLD


def _database_of(topic: str, table: str) -> str:
    """The topic's name without the table's: connector and schema."""
    schema, _, name = table.rpartition(".")
    return topic.removesuffix(f".{name}") if topic.endswith(f".{name}") else schema or topic
