"""An event of a published audit log, and the port to such a log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from cdc_archive.archive.reader.window import Window
from cdc_archive.decode.images import Row


class Published(NamedTuple):
    """A published event, in the form that replay gives to events (see `shape.Shape`).

    `event` has id (None: it names none), type, effective_at, project and actor where it has them,
    and the payload under the name of its type. `service`: who published it, if that is told.
    `where`: its place, such as `audit.jsonl:17` or `audit[0]@42`. `time_us`: when it took effect.
    """

    event: Row
    service: str | None
    where: str
    time_us: int

    @property
    def id(self) -> str | None:
        """Its id."""
        found: str | None = self.event.get("id")
        return found

    @property
    def type(self) -> str:
        """Its type."""
        kind: str = self.event["type"]
        return kind


class Unreadable(NamedTuple):
    """Something that stands in a published log and is no event that can be read; and why.

    `lost`: it stood there, and nobody can tell what or how many it was.
    """

    where: str
    reason: str
    lost: bool = False


class PublishedLog(Protocol):
    """A published log, whatever it lies in."""

    def events(self, window: Window) -> Iterator[Published | Unreadable]:
        """The events whose time lies in a window, in any order, and all that cannot be read.

        Events of other times may come too: whoever asks looks at `time_us`.

        Raises:
            Stop: the log cannot be read to its end; a part of it is never taken for the whole.
        """
        ...
