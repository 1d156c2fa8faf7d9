"""Topic dumps as a source: JSON lines, one message each, plain or gzip, read in bounded memory.

A line is an object with topic, partition, offset, timestamp (ms), timestamp_type (`CreateTime`,
`LogAppendTime`, `NoTimestampType`), headers ([[name, base64 or null], ...]), key and value (base64
or null). All partitions of the files are ours; there is nobody else in the group.
"""

from __future__ import annotations

import base64
import gzip
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import msgspec

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap, SourceInvalid
from cdc_archive.source.message import CREATE_TIME, LOG_APPEND_TIME, NO_TIMESTAMP, Message
from cdc_archive.source.source import NO_FACTS, AssignmentListener, TopicFacts

_BATCH: Final = 500
_PAUSE_S: Final = 0.02
_SHOWN: Final = 40
_TYPES: Final = {
    "CreateTime": CREATE_TIME,
    "LogAppendTime": LOG_APPEND_TIME,
    "NoTimestampType": NO_TIMESTAMP,
}
_LONGEST_LINE: Final = 128 << 20
_LONGEST_TOPIC: Final = 2048
_INT: Final = 1 << 31
_LONG: Final = 1 << 63


class _Line(msgspec.Struct):
    topic: Annotated[str, msgspec.Meta(max_length=_LONGEST_TOPIC)]
    partition: Annotated[int, msgspec.Meta(ge=0, le=_INT - 1)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=_LONG - 2)]
    key: str | None
    value: str | None
    timestamp: Annotated[int, msgspec.Meta(ge=-_LONG, le=_LONG - 1)] = -1
    timestamp_type: str = "NoTimestampType"
    headers: list[tuple[str, str | None]] = []


_decode: Final = msgspec.json.Decoder(_Line).decode


class RecordedSource:
    """See the port, source/source.py.

    Args:
        paths: the files, read one after the other; the offsets of a partition rise through them.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._ranges: dict[TopicPartition, OffsetRange] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._messages: Iterator[Message] = iter(())
        self._held: Message | None = None
        self._done = False

    def open(self, listener: AssignmentListener) -> None:
        """Read the files once for their ranges, then hand out every partition.

        Raises:
            SourceInvalid: a file cannot be read, a line is no message, or offsets do not rise.
            OffsetGap: a partition is to start at an offset before the first one recorded.
        """
        for message in self._read():
            partition = TopicPartition(message.topic, message.partition)
            known = self._ranges.get(partition)
            start = message.offset if known is None else known.start
            self._ranges[partition] = OffsetRange(start, message.offset + 1)
        starts = listener.on_assigned(sorted(self._ranges))
        for partition, held in self._ranges.items():
            start = starts.get(partition, held.start)
            if start < held.start:
                raise OffsetGap(
                    f"{partition}: offset {start} is to be read next, but the recording begins at "
                    f"{held.start}",
                    "Import the recording that comes before it first.",
                )
            self._positions[partition] = start
        self._rewind()

    def _rewind(self) -> None:
        self._messages, self._held, self._done = self._read(), None, False

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """See the port. A paused partition holds up those behind it in the file."""
        return list(islice(self._wanted(), _BATCH))

    def _wanted(self) -> Iterator[Message]:
        while True:
            message = self._held or next(self._messages, None)
            self._held = None
            if message is None:
                self._done = True
                return
            partition = TopicPartition(message.topic, message.partition)
            if message.offset < self._positions[partition]:
                continue
            if partition in self._paused:
                self._held = message
                time.sleep(_PAUSE_S)
                return
            self._positions[partition] = message.offset + 1
            yield message

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See the port. Going back reads the files from their beginning."""
        back = offset < self._positions[partition]
        self._positions[partition] = offset
        if back:
            self._rewind()

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See the port."""
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See the port."""
        self._paused -= set(partitions)

    def log_range(self, partition: TopicPartition) -> OffsetRange:
        """See the port."""
        return self._ranges[partition]

    def topic_facts(self, topic: str) -> TopicFacts:
        """A recording tells no topic's id."""
        return NO_FACTS

    def position(self, partition: TopicPartition) -> int | None:
        """See the port."""
        return self._positions[partition]

    def lag(self, partition: TopicPartition) -> int | None:
        """See the port: offsets, not messages, where the recording has holes."""
        return max(0, self._ranges[partition].end - self._positions[partition])

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """There is nobody to tell."""

    @property
    def exhausted(self) -> bool:
        """See the port."""
        return self._done

    def close(self) -> None:
        """See the port."""
        self._messages = iter(())

    def _read(self) -> Iterator[Message]:
        last: dict[tuple[str, int], int] = {}
        for path in self._paths:
            for number, line in _lines(path):
                message = _message(line, f"{path}, line {number}")
                place = (message.topic, message.partition)
                if message.offset <= last.get(place, -1):
                    raise SourceInvalid(
                        f"{path}, line {number}: offset {message.offset} of {message.topic}"
                        f"[{message.partition}] comes after offset {last[place]}",
                        "Sort the recording by offset within each topic partition.",
                    )
                last[place] = message.offset
                yield message


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise SourceInvalid(
                        f"{path}, line {number}: longer than {_LONGEST_LINE:,} bytes",
                        "No message of Kafka's is as long: this is not a recording.",
                    )
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise SourceInvalid(
            f"{path} cannot be read: {error}", "Give a file of JSON lines, plain or .gz."
        ) from None


def _message(line: bytes, where: str) -> Message:
    try:
        found = _decode(line)
        return Message(
            found.topic,
            found.partition,
            found.offset,
            found.timestamp,
            _TYPES[found.timestamp_type],
            _bytes(found.key),
            _bytes(found.value),
            tuple((name, _bytes(value)) for name, value in found.headers),
        )
    except KeyError as error:
        raise SourceInvalid(
            f"{where}: timestamp_type {str(error)[:_SHOWN]} is none of {', '.join(_TYPES)}"
        ) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise SourceInvalid(f"{where}: not a recorded message: {error}") from None


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
