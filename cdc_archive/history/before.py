"""What is known of a row before a change, and how a change's own images are completed by it. Pure.

Untouched out-of-line values are `UNAVAILABLE` in an image: they are the version before's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cdc_archive.decode.images import Row
from cdc_archive.decode.unavailable import UNAVAILABLE
from cdc_archive.history.states import Version
from cdc_archive.history.transition import (
    EXACT,
    KEY_ONLY,
    RECONSTRUCTED,
    Doubt,
    Origin,
    Proof,
)

_NOTHING: Final[frozenset[str]] = frozenset()


class Before(NamedTuple):
    """The version before a change: its row, what proves it, and who showed what is known of it."""

    row: Row | None
    proof: Proof
    known: Version | None
    unknown: frozenset[str] = frozenset()
    doubt: Doubt | None = None

    @property
    def origin(self) -> Origin | None:
        """The message that showed the version, where it is reconstructed."""
        if self.proof != RECONSTRUCTED or self.known is None:
            return None
        return self.known.origin

    def doubtful(self, after: Row) -> frozenset[str]:
        """Columns of the version after of which it cannot be told whether they changed.

        Those whose value before is not in the archive; and those that the last archived version
        does not have: an ALTER TABLE added them, maybe with a value.
        """
        unknown = self.unknown.intersection(after) if self.unknown else _NOTHING
        if self.proof != RECONSTRUCTED or self.row is None:
            return unknown
        added = after.keys() - self.row.keys()
        return unknown.union(name for name in added if after[name] is not None)


def is_partial(image: Row) -> bool:
    """Whether an out-of-line value is left out."""
    return UNAVAILABLE in image.values()


def agree(image: Row, known: Version) -> bool:
    """Whether an image shows nothing but what is known."""
    return all(v == UNAVAILABLE or known.row.get(n, v) == v for n, v in image.items())


def shown(image: Row, known: Version | None) -> Before:
    """What a before image tells: an untouched out-of-line value is the known version's."""
    if not is_partial(image):
        return Before(image, EXACT, known)
    missing = [name for name, value in image.items() if value == UNAVAILABLE]
    row = {name: value for name, value in image.items() if name not in missing}
    if known is not None:
        row |= {name: known.row[name] for name in missing if name in known.row}
    return Before(row, EXACT, known, frozenset(missing) - row.keys())


def completed(after: Row, before: Before | None) -> tuple[Row, frozenset[str], dict[str, Origin]]:
    """The version with untouched out-of-line values from before.

    Returns:
        the version; the columns whose value is still unknown; and those that neither image of the
        message showed, with the message that did.
    """
    if not is_partial(after):
        return after, _NOTHING, {}
    missing = [name for name, value in after.items() if value == UNAVAILABLE]
    version, unknown, filled = dict(after), set(), {}
    rows = before.row if before is not None and before.proof != KEY_ONLY else None
    for name in missing:
        if rows is None or before is None or name not in rows:
            del version[name]
            unknown.add(name)
            continue
        version[name] = rows[name]
        if before.proof != EXACT and before.known is not None:
            filled[name] = before.known.shown_by(name)
    return version, frozenset(unknown), filled
