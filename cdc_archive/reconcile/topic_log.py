"""A published log in a Kafka topic, read without a consumer group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdc_archive.archive.reader.window import Window
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.shape import Shape
from cdc_archive.source.message import Message
from cdc_archive.source.reading import Deleted, TopicReader

_MS_US: Final = 1_000
_EARLY_MS: Final = 3_600_000
"""How much earlier than its event a message may be stamped: clocks differ."""


class TopicLog:
    """See the port, published.py.

    Args:
        reader: reads topics.
        topic: the topic's name.
        shape: reads events.
        header: name of the header that tells the service.
    """

    def __init__(
        self, reader: TopicReader, topic: str, shape: Shape, header: str | None = None
    ) -> None:
        self._reader = reader
        self._topic = topic
        self._shape = shape
        self._header = header

    def events(self, window: Window) -> Iterator[Published | Unreadable]:
        """See the port. To the topic's end of now, for an event may be published late."""
        start = window.start_us
        since_ms = None if start is None else start // _MS_US - _EARLY_MS
        for one in self._reader.read(self._topic, since_ms):
            if isinstance(one, Deleted):
                yield Unreadable(f"{one.partition}@0..{one.before - 1}", GONE, lost=True)
            else:
                yield read_message(self._shape, one, self._header)


def read_message(shape: Shape, message: Message, header: str | None) -> Published | Unreadable:
    """The event of a message; `header` is the name of the one that tells its service."""
    where = f"{message.topic_partition}@{message.offset}"
    if message.value is None:
        return Unreadable(where, "a tombstone: no value")
    told = next((value for name, value in message.headers if name == header), None)
    return shape.read(message.value, where, told)


GONE: Final = "no longer in the log, whatever it was (retention)"
