"""What differs between two versions of a row, column by column, with what shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from cdc_archive.decode.images import Row, is_unavailable
from cdc_archive.history.transition import (
    EXACT,
    KEY_ONLY,
    NOT_APPLICABLE,
    RECONSTRUCTED,
    UNKNOWN,
    Origin,
    Proof,
)


class Shown(NamedTuple):
    """A column's value and what shows it.

    `proof` is `exact` (the change's own message), `reconstructed` (an earlier one, `origin`),
    `unknown` (the archive does not hold the value) or `none` (there is no such column or row).
    """

    proof: Proof
    value: Any = None
    origin: Origin | None = None


ABSENT: Final = Shown(NOT_APPLICABLE)
NOT_KNOWN: Final = Shown(UNKNOWN)


class Difference(NamedTuple):
    """One column, before and after."""

    column: str
    old: Shown
    new: Shown


class Knowledge:
    """What is known of a row at one time: its columns, and which message showed each.

    `row` is None if nothing is known; `unknown` are columns that it has, with a value that no
    message of the archive shows.
    """

    def __init__(self) -> None:
        self.row: Row | None = None
        self.unknown: frozenset[str] = frozenset()
        self._origins: dict[str, Origin] = {}

    def learn(self, row: Row, shown: Iterable[str], unknown: frozenset[str], where: Origin) -> None:
        """The row is `row` from now on; the message `where` showed the columns `shown` of it."""
        self._origins = {name: self._origins[name] for name in row if name in self._origins}
        self._origins.update(dict.fromkeys(shown, where))
        self.row, self.unknown = row, unknown

    def origin(self, column: str) -> Origin | None:
        """The message that showed a column's value."""
        return self._origins.get(column)

    def origins(self) -> dict[str, Origin]:
        """The message that showed each column's value."""
        return dict(self._origins)


def old_value(column: str, before: Row | None, proof: Proof, known: Knowledge) -> Shown:
    """What the column was, and what proves it."""
    if before is None or proof == UNKNOWN:
        return ABSENT if proof == NOT_APPLICABLE else NOT_KNOWN
    if column not in before:
        return NOT_KNOWN if column in known.unknown or proof == KEY_ONLY else ABSENT
    if is_unavailable(before[column]):
        return NOT_KNOWN
    if proof == RECONSTRUCTED:
        return Shown(RECONSTRUCTED, before[column], known.origin(column))
    return Shown(EXACT, before[column])


def new_value(column: str, after: Row | None, unknown: frozenset[str]) -> Shown:
    """What the column is; `unknown` columns have a value that the archive does not hold."""
    if column in unknown:
        return NOT_KNOWN
    return ABSENT if after is None or column not in after else Shown(EXACT, after[column])


def disagreement(told: Mapping[str, Any], known: Row | None) -> list[str]:
    """Columns whose value in a before image is not that of the version before."""
    return [
        name
        for name, value in told.items()
        if known is not None
        and name in known
        and not is_unavailable(value)
        and known[name] != value
    ]
