"""The express lane: from message to open file in one loop, for changes as Debezium writes them.

Almost every message is one: an envelope of before, after, source, transaction and op in this order,
with a plausible time, of a table and hour whose file is open. Whatever is anything else is left to
the plain path (decode/decoder.py, format/avro.py), which can take them all and decides what they
are. Both give the same bytes: tests/archive/writer/test_express.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from cdc_archive.archive.format import avro
from cdc_archive.archive.format.layout import CHANGES
from cdc_archive.archive.writer.keys_seen import KeysSeen, other_keys
from cdc_archive.archive.writer.open_file import RECORD_BYTES, FileIdentity, OpenFile
from cdc_archive.archive.writer.stream_watch import StreamWatch
from cdc_archive.changelog.hour import (
    EARLIEST_US,
    LATEST_US,
    SOURCE_TIME,
    US_PER_HOUR,
    hour_of_index,
)
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ROW_OPS, Headers, JsonText
from cdc_archive.decode.described import SourceBlock, quick_source, table_name
from cdc_archive.decode.envelope import (
    HEAD,
    HEAD_TEXT,
    quick_envelope,
    quick_unwrap,
    quick_wrap,
)
from cdc_archive.decode.stream import NO_COMMIT, STREAMED, may_begin
from cdc_archive.errors import Undecodable
from cdc_archive.source.message import Message

Lane = Callable[["Express", Sequence[Message], int, int], list[str]]


def _found() -> Lane | None:
    try:
        from cdc_archive.archive.writer.compiled_lane import run  # if it is there
    except ImportError:
        return None
    return run


compiled = _found()
"""`Express.run` as C, if a compiler was at hand when the package was built: see hatch_build.py."""

_SHORT: Final = avro.SMALL
"""Texts from this length on cost more to copy than to look at: they may go the plain way."""
_SOME: Final = [b"\x02" + avro.long(length) for length in range(_SHORT)]
"""What stands before an optional text in Avro, by its length."""
_ONE: Final = {op: avro.sized(op.encode()) + b"\x02" for op in ROW_OPS}
"""Avro of an op, and of the mark that an event time follows."""
_NEXT: Final = [bytes((bits & 0x7F | 0x80, bits >> 7 | 0x80)) for bits in range(1 << 14)]
"""Two bytes of an Avro long that has more, by 14 bits of it after zigzag."""
_FIRST: Final = _NEXT[::2]
"""The first two, by the lowest 13 bits of a number that is not negative."""
_BEFORE, _AFTER, _SOURCE, _TRANSACTION = HEAD.split(b"%b")[:4]
_PLACE: Final = b"\x00"
_END: Final = ord("}")
_SHORT_PAYLOAD: Final = _SHORT - 64
"""So that an envelope text with what is around it is short too."""
_KNOWN_WRAPPERS: Final = 64
_KNOWN_HIGH: Final = 1 << 14


class _High(dict[int, bytes]):
    """What follows those bytes, by the bits above them, which change slowly."""

    def __missing__(self, bits: int) -> bytes:
        if len(self) >= _KNOWN_HIGH:
            self.clear()
        self[bits] = encoded = avro.unsigned(bits)
        return encoded


class _Target(NamedTuple):
    """Where a record goes: the file of a table and hour, Avro of what its records repeat, and where
    their keys go.
    """

    file: OpenFile
    words: bytes
    keys: KeysSeen | None


class _Wrapper(NamedTuple):
    """What stands around envelopes: nothing, or Connect's wrapper with a schema that is known.

    `mark` is how values begin, `skip` the bytes of it before the envelope, `head_text` the envelope
    text of a value's beginning; see decode/envelope.py. `compiled` is for the compiled lane.
    """

    mark: bytes
    skip: int
    fingerprint: str | None
    head_text: bytes
    targets: dict[tuple[str | None, str | None, str | None, int], _Target]
    compiled: dict[bytes, Any]


class OpenFiles(Protocol):
    """What the lane asks of the files of a batch, see files.py."""

    buffered_bytes: int
    newest_event_us: int | None
    prefix: bytes
    unsettled: deque[OpenFile]
    opened: dict[FileIdentity, OpenFile]
    schemas: dict[JsonText, tuple[str, JsonText]]


class Express:
    """The express lane of a batch.

    Args:
        partition: the topic partition that its messages come from.
        files: its files.
        stream: watches its change stream.
    """

    def __init__(self, partition: TopicPartition, files: OpenFiles, stream: StreamWatch) -> None:
        self._partition = partition
        self._files = files
        self._stream = stream
        self._bare = _Wrapper(_BEFORE, 0, None, HEAD_TEXT, {}, {})
        self._wrapper, self._wrappers = self._bare, [self._bare]
        self._high = _High()
        self._streamed = 0
        self._headers: Headers | None = None
        self._stamp = (-2, b"")
        self._others: list[bytes] = []

    def run(self, messages: Sequence[Message], at: int, offset: int) -> list[str]:
        """Take messages until one is to go the plain way.

        Args:
            messages: as they were polled.
            at: the first of them to look at.
            offset: the offset that it must have to be taken.

        Returns:
            the op of each that was taken.
        """
        lane = Express._in_python if compiled is None else compiled
        return lane(self, messages, at, offset)

    def _in_python(  # noqa: C901, PLR0912, PLR0915  # one loop: a call would cost a tenth of it
        self, messages: Sequence[Message], at: int, offset: int
    ) -> list[str]:
        files, stream, high = self._files, self._stream, self._high
        topic, partition = self._partition
        prefix, unsettled = files.prefix, files.unsettled
        newest, held = files.newest_event_us or 0, 0
        known, (known_type, stamp), others = self._headers, self._stamp, self._others
        wrapper = self._wrapper
        mark, skip, _, head_text, targets, _ = wrapper
        last, streamed = None, self._streamed
        ops: list[str] = []
        for (
            its_topic,
            its_partition,
            its_offset,
            timestamp,
            timestamp_type,
            key,
            value,
            headers,
        ) in islice(messages, at, None):
            if (
                its_offset != offset
                or value is None
                or its_partition != partition
                or its_topic != topic
                or timestamp < _SHORT
                or len(key or b"") >= _SHORT
            ):
                break
            if not value.startswith(mark):
                around = self._around(value)
                if around is None:
                    break
                wrapper = around
                mark, skip, _, head_text, targets, _ = wrapper
            payload = value[skip:-1] if skip else value
            if len(payload) >= _SHORT_PAYLOAD:
                break
            # what it is: decode/envelope.py, quick_parts; decode/described.py
            try:
                found = quick_envelope(payload)
                if not payload.isascii():
                    payload.decode()
                before, after = bytes(found.before), bytes(found.after)
                source, transaction = bytes(found.source), bytes(found.transaction)
                place = quick_source(source)
                us, op = place.ts_us, found.op
                if headers is not known or timestamp_type != known_type:
                    known, known_type = headers, timestamp_type
                    stamp = avro.long(timestamp_type + 1) + avro.headers(headers)
                    others = other_keys(headers)
            except (msgspec.DecodeError, ValueError, RecursionError):
                known = None
                break
            head = b"".join(
                (_BEFORE, before, _AFTER, after, _SOURCE, source, _TRANSACTION, transaction, b",")
            )
            if (
                us is None
                or place.ts_ms != us // 1000
                or not EARLIEST_US <= us < LATEST_US
                or op not in ROW_OPS
                or not payload.startswith(head)
                or value[-1] != _END
            ):
                break
            # where it goes
            target = targets.get((place.db, place.schema, place.table, us // US_PER_HOUR))
            if target is None:
                target = self._target(wrapper, place, us // US_PER_HOUR)
                if target is None:
                    break
            bracket = source.find(b"[")  # may_begin says no if what it seeks stands as usual
            if (
                not source.startswith(STREAMED, streamed)
                or source.startswith(NO_COMMIT, bracket)
                or source.find(b"[", bracket + 1) > 0
            ):
                streamed = source.find(STREAMED)
                if may_begin(source):
                    if last is not None:
                        stream.went_on(last)
                    if stream.breaks_at(source) is not None:
                        break
                    stream.went_on(source)
            last = source
            # its bytes: format/avro.py, change
            rest = value[skip + len(head) :]
            encoded = b"".join(
                (
                    prefix,
                    avro.long(offset) if offset < _SHORT else _FIRST[offset & 0x1FFF],
                    b"" if offset < _SHORT else high[offset >> 13],
                    _FIRST[timestamp & 0x1FFF],
                    high[timestamp >> 13],
                    stamp,
                    b"\x00" if key is None else _SOME[len(key)],
                    key or b"",
                    _ONE[op],
                    _FIRST[us & 0x1FFF],
                    _NEXT[us >> 13 & 0x3FFF],
                    high[us >> 27],
                    target.words,
                    _SOME[len(before)],
                    before,
                    _SOME[len(after)],
                    after,
                    _SOME[len(source)],
                    source,
                    _SOME[len(transaction)],
                    transaction,
                    _SOME[len(head_text) + len(rest)],
                    head_text,
                    rest,
                )
            )
            if target.keys is not None:
                if key is None:
                    target.keys.keyless += op != "t"
                else:
                    target.keys.waiting.append(key)
                if others:
                    target.keys.waiting.extend(others)
            if target.file.append(encoded, offset, us, op):
                unsettled.append(target.file)
            held += len(encoded) + RECORD_BYTES
            if us > newest:  # noqa: PLR1730  # a call
                newest = us
            ops.append(op)
            offset += 1
        if ops:
            assert last is not None
            stream.went_on(last)
            files.buffered_bytes += held
            files.newest_event_us = newest
        self._wrapper, self._streamed = wrapper, streamed
        self._headers, self._stamp, self._others = known, (known_type, stamp), others
        return ops

    def _target(self, wrapper: _Wrapper, place: SourceBlock, hour: int) -> _Target | None:
        """The file, if the plain way opened it before."""
        if not place.table:
            return None
        try:
            name = table_name(place.db, place.schema, place.table, self._partition.topic)
        except Undecodable:
            return None
        identity = FileIdentity(CHANGES, name, hour_of_index(hour), wrapper.fingerprint)
        file = self._files.opened.get(identity)
        if file is None:
            return None
        words = avro.sized(SOURCE_TIME.encode()) + avro.sized(name.encode())
        target = _Target(file, words, file.keys)
        wrapper.targets[place.db, place.schema, place.table, hour] = target
        return target

    def _around(self, value: bytes) -> _Wrapper | None:
        """What is around the envelope in a value, if the plain way met it before."""
        for wrapper in self._wrappers:
            if value.startswith(wrapper.mark):
                return wrapper
        found = quick_unwrap(value)
        if found is None or found[0] not in self._files.schemas:
            return None
        if len(self._wrappers) >= _KNOWN_WRAPPERS:
            del self._wrappers[1:]
        skip = len(value) - len(found[1]) - 1
        fingerprint, _ = self._files.schemas[found[0]]
        # what ends the value is part of what follows the envelope's beginning
        head_text, _, _ = quick_wrap(HEAD_TEXT + _PLACE).partition(_PLACE)
        wrapper = _Wrapper(value[:skip] + _BEFORE, skip, fingerprint, head_text, {}, {})
        self._wrappers.append(wrapper)
        return wrapper if value.startswith(wrapper.mark) else None
