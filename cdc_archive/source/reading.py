"""The port for reading a topic once, from a time to its end of now, outside any consumer group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import SourceUnreachable
from cdc_archive.source.message import Message

SILENCE_S: Final = 60.0
"""How long a topic may give nothing although its end is not reached."""
ANSWER_S: Final = 15.0


class Deleted(NamedTuple):
    """Messages that retention took away, so that nobody can read them: the oldest ones."""

    partition: TopicPartition
    before: int


class TopicReader(Protocol):
    """Reads one topic. It joins no group and commits nothing."""

    def read(self, topic: str, since_ms: int | None) -> Iterator[Message | Deleted]:
        """All messages from the first whose timestamp is not before `since_ms`, up to the end that
        each partition has when the reading begins. Partitions come in any order.

        `Deleted` comes for each partition whose log begins with what is asked for, and not with its
        first message: what was before it may have been asked for too.

        Raises:
            SourceUnreachable, SourceDenied, TopicMissing: a person must act.
        """
        ...


def deleted(partition: TopicPartition, held: OffsetRange, start: int | None) -> Iterator[Deleted]:
    """`Deleted`, if a reading that begins at `start` (None: at the log's end) lacks the oldest."""
    begins = held.end if start is None else start
    if held.start > 0 and begins <= held.start:
        yield Deleted(partition, held.start)


def silent(topic: str, servers: str) -> SourceUnreachable:
    """Told when nothing comes any more."""
    return SourceUnreachable(
        f"Kafka at {servers}: nothing of {topic} came for {SILENCE_S:.0f} seconds, and its end is "
        "not reached"
    )
