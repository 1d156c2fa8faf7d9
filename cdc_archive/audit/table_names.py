"""Which tables a mapping means."""

from __future__ import annotations

from collections.abc import Iterable

from cdc_archive.decode.row_reader import ends


def fits_any(table: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns is the end of a table's name."""
    return any(ends(table, pattern) for pattern in patterns)
