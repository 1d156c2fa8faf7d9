"""A listener that remembers, and loops that poll until something is true."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.message import Message
from cdc_archive.source.source import Source


class Listener:
    """Starts partitions where it is told to; remembers what it heard."""

    def __init__(self, starts: Mapping[TopicPartition, int] | None = None) -> None:
        self.starts = dict(starts or {})
        self.heard: list[tuple[str, tuple[TopicPartition, ...]]] = []
        self.owned: set[TopicPartition] = set()

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        self.heard.append(("assigned", tuple(partitions)))
        self.owned |= set(partitions)
        return {one: self.starts[one] for one in partitions if one in self.starts}

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.heard.append(("revoked", tuple(partitions)))
        self.owned -= set(partitions)

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.heard.append(("lost", tuple(partitions)))
        self.owned -= set(partitions)


def poll_until(
    done: Callable[[list[Message]], bool], *sources: Source, seconds: float = 20
) -> list[Message]:
    """Poll the sources in turn until `done(all messages so far)`."""
    deadline = time.monotonic() + seconds
    found: list[Message] = []
    while not done(found):
        assert time.monotonic() < deadline, f"gave up waiting with {len(found)} messages"
        for source in sources:
            found += source.poll(0.1)
    return found
