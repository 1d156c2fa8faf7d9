"""Whether what a commit says can be true: a reader follows its keys and adds up its numbers.

The sum of its offsets is checked by `commit` itself; here are the single values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.key_filter import KeyFilter
from cdc_archive.changelog.hour import Hour

if TYPE_CHECKING:
    from cdc_archive.archive.format.commit import Commit, FileEntry, Recovered, Skipped

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|unknown")
_HOUR: Final = re.compile(r"[0-9]{2}|unknown")
_LONG: Final = 1 << 63
_INT: Final = 1 << 31
_SEQUENCES: Final = 10**12
_SHOWN: Final = 200


def problem(commit: Commit) -> str | None:
    """The first thing that cannot be, None if there is none."""
    return next(
        chain(
            _numbers(commit),
            chain.from_iterable(_file(commit, file) for file in commit.files),
            chain.from_iterable(_skipped(commit, one) for one in commit.skipped),
            chain.from_iterable(_recovered(commit, one) for one in commit.recovered),
            _ranges("absent", commit.absent, commit.start, commit.end),
            _gaps(commit),
        ),
        None,
    )


def _numbers(commit: Commit) -> Iterator[str]:
    longs = [commit.end, commit.log.incarnation]
    for one in commit.recovered:
        longs += one.incarnation, *(file.last_offset for file in one.files)
    if max(longs) >= _LONG or commit.partition >= _INT or commit.sequence >= _SEQUENCES:
        yield "a number in it is larger than Kafka or the format has"


def _file(commit: Commit, file: FileEntry) -> Iterator[str]:
    shown = ascii(file.key)[:_SHOWN]
    if file.key != _key(commit, file):
        yield f"file {shown} does not stand where a file of its content stands"
    if file.records > file.last_offset - file.first_offset + 1:
        yield f"file {shown} has more records than offsets"
    if min(file.counts.values(), default=0) < 0 or sum(file.counts.values()) != file.records:
        yield f"file {shown}: its counts are not those of its {file.records} records"
    low, high = file.min_event_time_us, file.max_event_time_us
    times = (low is None) is (high is None) and -_LONG <= (low or 0) <= (high or 0) < _LONG
    if not times:
        yield f"file {shown}: its event times cannot be"
    if isinstance(file.keys, KeyFilter) and (told := file.keys.problem()):
        yield f"file {shown}: key statistics: {told}"


def _key(commit: Commit, file: FileEntry) -> str | None:
    if not (_DATE.fullmatch(file.date) and _HOUR.fullmatch(file.hour)):
        return None
    if file.kind == layout.CHANGES and file.table is not None:
        folder = file.table
    elif file.kind == layout.QUARANTINE and file.table is None:
        folder = commit.topic
    else:
        return None
    hour = Hour(file.date, file.hour)
    first, last = file.first_offset, file.last_offset
    where = commit.topic_partition
    return layout.data_key(file.kind, folder, hour, where, first, last, file.sha256)


def _skipped(commit: Commit, one: Skipped) -> Iterator[str]:
    inside = commit.start <= one.first_offset <= one.last_offset < commit.end
    if not inside or one.count > one.last_offset - one.first_offset + 1:
        yield "what was skipped does not lie in its range"


def _recovered(commit: Commit, one: Recovered) -> Iterator[str]:
    top, *parts = one.origin.split("/")
    if top != layout.QUARANTINE or {"", ".", ".."} & set(parts):
        yield f"{ascii(one.origin)[:_SHOWN]} is no file of quarantine"
    yield from _ranges("recovered", one.offsets, 0, _LONG)
    for file in one.files:
        yield from _file(commit, file)


def _gaps(commit: Commit) -> Iterator[str]:
    """A gap of unknown size lies at an offset; any other is a range of them."""
    sized = [(gap.start, gap.end) for gap in commit.gaps if gap.start != gap.end]
    yield from _ranges("gaps", sized, commit.start, commit.end)
    if any(not commit.start <= gap.start <= commit.end for gap in commit.gaps):
        yield "gaps: one lies outside of its range"


def _ranges(name: str, found: Iterable[tuple[int, int]], low: int, high: int) -> Iterator[str]:
    ordered = sorted(found)
    bounded = all(low <= start < end <= high for start, end in ordered)
    apart = all(before[1] <= after[0] for before, after in pairwise(ordered))
    if not (bounded and apart):
        yield f"{name}: a range of offsets is empty, overlaps another or leaves the commit's"
