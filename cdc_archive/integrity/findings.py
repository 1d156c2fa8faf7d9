"""What a look at an archive can find, as values."""

from __future__ import annotations

from typing import Final, NamedTuple

ALTERED: Final = "altered"
"""An object's bytes or content are not those that the chain names."""
MISSING: Final = "missing"
"""An object that the chain names, or a commit between two others, is not there."""
UNREADABLE: Final = "unreadable"
"""An object is not what its key says."""
BROKEN: Final = "broken"
"""Two commits do not join, or a commit contradicts its files."""
GAP: Final = "gap"
"""A recorded loss, accepted by a person."""
ORPHAN: Final = "orphan"
"""A data file that no commit names: left by a crash, no part of the archive."""
STRANGER: Final = "stranger"
"""An object that no archive of this format has."""

DAMAGE: Final = frozenset({ALTERED, MISSING, UNREADABLE, BROKEN})


class Finding(NamedTuple):
    """One finding: its kind, the object's key, and what is the case, in one sentence."""

    kind: str
    key: str
    what: str

    @property
    def is_damage(self) -> bool:
        """Whether the archive is not what was written; the other kinds are to be known only."""
        return self.kind in DAMAGE
