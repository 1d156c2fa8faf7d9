"""The port to what the rest of the archive says of a change: who made it, and rows of other tables.

An actor may be told beside the row: in a logical message or in a context row of the same
transaction, on another topic, before or after it in the archive. A row of another table is wanted
as it was at the time of the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cdc_archive.decode.images import Row
from cdc_archive.history.position import Change
from cdc_archive.history.transition import Origin


class Testimony(NamedTuple):
    """What a transaction says of its actor: the value that stood there, and where."""

    value: Any
    origin: Origin


class Context(Protocol):
    """Looks beside a change."""

    def testimony(self, source: int, change: Change) -> Sequence[Testimony]:
        """What source number `source` of the mapping's actor sources says of the change's
        transaction, in the order in which it was said; empty if nothing.
        """
        ...

    def lookup(self, name: str, key: Any, change: Change) -> Row | None:
        """The row of look-up `name` whose column `by` has the value `key`, as it was when the
        change was made; None if there is none or the archive does not know.
        """
        ...


class NoContext:
    """A context that knows nothing."""

    def testimony(self, source: int, change: Change) -> Sequence[Testimony]:
        """See the port."""
        return ()

    def lookup(self, name: str, key: Any, change: Change) -> Row | None:
        """See the port."""
        return None
