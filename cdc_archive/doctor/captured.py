"""Which tables a Debezium connector captures, by its include and exclude lists. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cdc_archive.source.connector import ConnectorFacts
from cdc_archive.source.database import TableFacts


class Captures:
    """A connector's selection of tables.

    Its lists are regular expressions that match whole names, whatever their case; a table is named
    with its schema.

    Args:
        connector: its configuration; None: every table counts as captured.
    """

    def __init__(self, connector: ConnectorFacts | None) -> None:
        def listed(key: str) -> Sequence[str]:
            return () if connector is None else connector.listed(key)

        self._schemas = listed("schema.include.list")
        self._no_schemas = listed("schema.exclude.list")
        self._tables = listed("table.include.list")
        self._no_tables = listed("table.exclude.list")

    def __contains__(self, table: TableFacts) -> bool:
        if table.persistence == "temporary":
            return False
        if self._schemas and not _any(self._schemas, table.schema):
            return False
        if self._tables and not _any(self._tables, table.name):
            return False
        return not (_any(self._no_schemas, table.schema) or _any(self._no_tables, table.name))

    def named_but_missing(self, tables: Sequence[TableFacts]) -> list[str]:
        """The entries of the include list that no table of the database matches."""
        names = [table.name for table in tables]
        return [one for one in self._tables if not any(_any([one], name) for name in names)]


def _any(patterns: Sequence[str], name: str) -> bool:
    for pattern in patterns:
        try:
            if re.fullmatch(pattern, name, re.IGNORECASE):
                return True
        except re.error:  # Java's are not all Python's
            if pattern.replace("\\", "").lower() == name.lower():
                return True
    return False
