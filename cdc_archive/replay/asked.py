"""What is asked of a replay."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from cdc_archive.archive.reader.window import Window


class Asked(NamedTuple):
    """Which events are asked for: time window, tables (wildcards), event types; empty: all."""

    window: Window = Window()
    tables: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def wants_table(self, table: str) -> bool:
        """Whether events of this table are asked for."""
        return not self.tables or any(fnmatchcase(table, pattern) for pattern in self.tables)

    def wants_type(self, kind: str) -> bool:
        """Whether events of this type are asked for."""
        return not self.types or kind in self.types
