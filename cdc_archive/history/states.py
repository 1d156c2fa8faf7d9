"""The last known version of each row: what a change is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import Row, parsed
from cdc_archive.history.transition import Origin

_NOTHING: Final[Mapping[str, Origin]] = {}


class Version(NamedTuple):
    """A version of a row, and the message that showed it.

    `filled` are the columns that the message did not show, with the message that did; `unknown`
    those whose value is not in the archive.
    """

    row: Row
    origin: Origin
    filled: Mapping[str, Origin] = _NOTHING
    unknown: frozenset[str] = frozenset()

    def shown_by(self, column: str) -> Origin:
        """The message that showed the value of a column."""
        return self.filled.get(column, self.origin)

    def origins(self) -> list[Origin]:
        """Every message that the version is put together from."""
        return [self.origin, *self.filled.values()]

    def encode(self) -> bytes:
        """The version as JSON text."""
        return exact_json([self.row, self.origin, self.filled, sorted(self.unknown)])

    @classmethod
    def decode(cls, data: bytes | str) -> Version:
        """The version that `encode` made this text of."""
        row, origin, filled, unknown = parsed(data)
        shown = {name: Origin(*one) for name, one in filled.items()}
        return cls(row, Origin(*origin), shown, frozenset(unknown))


class RowStates(Protocol):
    """Versions by table and key, the key as canonical JSON text."""

    def get(self, table: str, key: str) -> Version | None:
        """The version, None if the row is unknown."""
        ...

    def put(self, table: str, key: str, version: Version) -> None:
        """Remember a version."""
        ...

    def drop(self, table: str, key: str) -> None:
        """Forget a row, if it is known."""
        ...

    def keys(self, table: str) -> Iterator[str]:
        """Keys of the rows that live in a table, in the order of their text.

        Rows may be dropped while they are gone through.
        """
        ...


class MemoryStates:
    """Row states in dicts."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Version]] = {}

    def get(self, table: str, key: str) -> Version | None:
        """See the port."""
        return self._tables.get(table, {}).get(key)

    def put(self, table: str, key: str, version: Version) -> None:
        """See the port."""
        self._tables.setdefault(table, {})[key] = version

    def drop(self, table: str, key: str) -> None:
        """See the port."""
        self._tables.get(table, {}).pop(key, None)

    def keys(self, table: str) -> Iterator[str]:
        """See the port."""
        yield from sorted(self._tables.get(table, {}))
