"""What a look at an archive can find, as values."""

from __future__ import annotations

from typing import Final, NamedTuple

ALTERED: Final = "altered"
"""An object's bytes are not those that another object names, or its own name says."""
MISSING: Final = "missing"
"""An object that another one names, or that stands between two others, is not there."""
UNREADABLE: Final = "unreadable"
"""An object is not what its key says, and nothing tells what it was."""
BROKEN: Final = "broken"
"""Two objects contradict each other, or themselves, though neither was altered afterwards."""
EXTRA: Final = "extra"
"""An object that nothing names and no crash leaves: it was added."""
REORDERED: Final = "reordered"
"""Two objects of a chain stand under each other's keys."""
MOVED: Final = "moved"
"""An object that belongs under another key, or to another archive."""
CUT: Final = "cut"
"""The end of a chain, a whole chain, or the newest digests are not there any more."""
OVERLAPPING: Final = "overlapping"
"""Two commits, or two files, claim the same offset."""
UNSIGNED: Final = "unsigned"
"""No signature where one is due."""
FORGED: Final = "forged"
"""A signature that does not hold, or of a key that may not sign."""

INCOMPLETE: Final = "incomplete"
"""Fewer changes of a transaction than its END tells: what is here is sound, but not all is here."""
GAP: Final = "gap"
"""A recorded loss, accepted by a person."""
ORPHAN: Final = "orphan"
"""A data file that no commit names, as a crash leaves it: no part of the archive."""
OVERDUE: Final = "overdue"
"""The newest digest is older than it should be."""
UNSEALED: Final = "unsealed"
"""A commit that the digest of its hour does not hold; the next one should."""
RESTARTED: Final = "restarted"
"""A transaction in the middle of which the connector restarted, and counted anew."""

DAMAGE: Final = frozenset(
    {
        ALTERED,
        MISSING,
        UNREADABLE,
        BROKEN,
        EXTRA,
        REORDERED,
        MOVED,
        CUT,
        OVERLAPPING,
        UNSIGNED,
        FORGED,
    }
)


class Finding(NamedTuple):
    """One finding: its kind, the object's key, and what is the case, in one sentence."""

    kind: str
    key: str
    what: str

    @property
    def is_damage(self) -> bool:
        """Whether the archive is not what was written; the other kinds are to be known only."""
        return self.kind in DAMAGE
