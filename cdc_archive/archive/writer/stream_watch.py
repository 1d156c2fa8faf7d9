"""Notices that a change stream began anew: its connector lost its slot or its offsets. Pure.

What is compared is the position in the database, not the offset: the log has no hole then, the
stream has one. A snapshot that was cut off before anything streamed, and a redelivery from the
stream's first words on, lose nothing and are none.
"""

from __future__ import annotations

from cdc_archive.archive.format.commit import SourceMark
from cdc_archive.changelog.record import ROW_OPS, ChangeRecord, JsonText
from cdc_archive.decode.stream import StreamPoint, may_begin, stream_point


class StreamWatch:
    """Watches the changes of one batch.

    Args:
        before: how far the stream had come before it; None: nothing is known.
    """

    def __init__(self, before: SourceMark | None) -> None:
        self._mark = before
        self._last: JsonText | None = None

    def broken_at(self, record: ChangeRecord) -> StreamPoint | None:
        """The point at which the stream begins anew with this record; None if it goes on."""
        source = record.source
        if source is None or record.op not in ROW_OPS:
            return None
        begins = self.breaks_at(source) if may_begin(source) else None
        if begins is None:
            self.went_on(source)
        return begins

    def breaks_at(self, source: JsonText) -> StreamPoint | None:
        """The same for the `source` of a row that may begin a stream. If not: `went_on`."""
        point = stream_point(source)
        return point if point is not None and point.begins and breaks(self.mark(), point) else None

    def went_on(self, source: JsonText) -> None:
        """The `source` of a row, which is no break. What came before one that may begin counts."""
        if may_begin(source):
            self._fold()
        self._last = source

    def mark(self) -> SourceMark | None:
        """How far the stream has come."""
        self._fold()
        return self._mark

    def _fold(self) -> None:
        """Only the last change before a possible beginning, or before the end, need be parsed."""
        point = stream_point(self._last)
        if point is not None:
            self._mark = advanced(self._mark, point)
        self._last = None


def breaks(mark: SourceMark | None, point: StreamPoint) -> bool:
    """Whether a point that begins a stream cannot follow what was seen before."""
    if mark is None or mark.connector != point.connector or not mark.streaming:
        return False
    if point.position == mark.restart:
        return False
    if point.snapshot:
        return point.position != mark.position
    return point.position > mark.position


def advanced(mark: SourceMark | None, point: StreamPoint) -> SourceMark:
    """The mark after a change at `point`."""
    if mark is None or mark.connector != point.connector:
        return SourceMark(point.connector, point.position, streaming=not point.begins)
    if point.begins and mark.streaming:
        return mark  # delivered again
    of_old_stream = mark.restart is not None and point.position < mark.restart
    streaming = mark.streaming or not (point.begins or of_old_stream)
    return SourceMark(mark.connector, point.position, streaming, mark.restart)
