"""Records of files that may overlap, in the order of their log, each file opened when it is due."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.changelog.record import ArchivedRecord


class NamedFile(NamedTuple):
    """A file of change records: of which incarnation of the log, and named by which commit."""

    incarnation: int
    file: FileEntry
    sequence: int


def bare(named: NamedFile) -> NamedFile:
    """The file without its key statistics, to hold many of them."""
    return named._replace(file=named.file.without_keys())


ReadFile = Callable[[NamedFile], Iterator[ArchivedRecord]]
"""Gives the records of a file, or some of them, in offset order."""


Place = tuple[int, int]
"""Where a record stands in its log: incarnation, offset."""


def place(archived: ArchivedRecord) -> Place:
    """Where a record stands in its log: incarnation, offset."""
    return archived.incarnation, archived.record.offset


def in_log_order(named: NamedFile) -> tuple[int, int, str]:
    """The key to sort files by."""
    return named.incarnation, named.file.first_offset, named.file.key


def weave(files: Iterable[NamedFile], read: ReadFile) -> Iterator[ArchivedRecord]:
    """The records of all files in the order of their log.

    Args:
        files: `in_log_order`.
        read: the records of one file, in offset order.
    """
    heap: list[_Reading] = []
    for number, late in enumerate(files):
        begins = (late.incarnation, late.file.first_offset)
        while heap and heap[0].place < begins:
            if len(heap) == 1 and heap[0].ends < begins:
                yield from _rest(heap.pop())
            else:
                yield _advance(heap)
        records = read(late)
        first = next(records, None)
        if first is None:
            continue  # none of it is wanted
        ends = (late.incarnation, late.file.last_offset)
        heapq.heappush(heap, _Reading(place(first), number, first, records, ends))
    while len(heap) > 1:
        yield _advance(heap)
    for last in heap:
        yield from _rest(last)


class _Reading(NamedTuple):
    place: Place
    number: int
    record: ArchivedRecord
    rest: Iterator[ArchivedRecord]
    ends: Place


def _rest(reading: _Reading) -> Iterator[ArchivedRecord]:
    return chain((reading.record,), reading.rest)


def _advance(heap: list[_Reading]) -> ArchivedRecord:
    """The lowest record; its file's next one takes its place."""
    _, number, record, rest, ends = heap[0]
    following = next(rest, None)
    if following is None:
        heapq.heappop(heap)
    else:
        heapq.heapreplace(heap, _Reading(place(following), number, following, rest, ends))
    return record
