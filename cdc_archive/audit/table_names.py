"""Which tables a mapping means: names match by their end."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def fits(table: str, pattern: str) -> bool:
    """Whether the last parts of a table's name are the pattern: `api_key` fits `db.app.api_key`."""
    parts = table.split(".")
    wanted = pattern.count(".") + 1
    return fnmatchcase(".".join(parts[-wanted:]), pattern)


def fits_any(table: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns fits."""
    return any(fits(table, pattern) for pattern in patterns)
