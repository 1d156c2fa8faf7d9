"""What an archive holds, told by its commits alone: no data file is opened."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from cdc_archive.archive.format.commit import Commit, FileEntry, Gap
from cdc_archive.archive.format.layout import QUARANTINE
from cdc_archive.archive.reader.reader import ArchiveReader

Row = dict[str, Any]


def take(reader: ArchiveReader, by: str, table: str | None = None) -> list[Row]:
    """Rows of equal keys.

    Args:
        reader: the archive.
        by: `table`, `hour`, `file`, `partition` or `gap`.
        table: wildcard that tables must match; None: all, quarantine too.
    """
    if by == "partition":
        return list(_partitions(reader))
    if by == "gap":
        return list(_gaps(reader))
    found = [
        (commit, file)
        for partition in reader.partitions()
        for commit in reader.commits(partition)
        for file in (*commit.files, *(file for one in commit.recovered for file in one.files))
        if table is None or fnmatchcase(file.table or "", table)
    ]
    if by == "file":
        return [_file(commit, file) for commit, file in found]
    groups: dict[tuple[str, ...], list[FileEntry]] = {}
    for _, file in found:
        name = file.table if file.kind != QUARANTINE else "(quarantine)"
        hour = (f"{file.date}T{file.hour}",) if by == "hour" else ()
        groups.setdefault((name or "", *hour), []).append(file)
    names = ("table", "hour") if by == "hour" else ("table",)
    return [dict(zip(names, key, strict=True)) | _sum(groups[key]) for key in sorted(groups)]


def gap_row(commit: Commit, gap: Gap) -> Row:
    """A recorded loss as reports and listings show it."""
    return {
        "topic": commit.topic,
        "partition": commit.partition,
        "kind": gap.kind,
        "from": gap.start,
        "to": gap.end,
        "reason": gap.reason,
        "accepted_by": gap.accepted_by,
        "accepted_at": gap.accepted_at,
        "detail": gap.detail,
        "commit": commit.sequence,
        "incarnation": commit.log.incarnation,
    }


def _sum(files: list[FileEntry]) -> Row:
    hours = sorted({f"{file.date}T{file.hour}" for file in files})
    counts: dict[str, int] = {}
    for file in files:
        for label, count in file.counts.items():
            counts[label] = counts.get(label, 0) + count
    return {
        "files": len(files),
        "records": sum(file.records for file in files),
        "bytes": sum(file.size for file in files),
        "first_hour": hours[0],
        "last_hour": hours[-1],
        "counts": " ".join(f"{label}:{count}" for label, count in sorted(counts.items())),
    }


def _file(commit: Commit, file: FileEntry) -> Row:
    return {
        "topic": commit.topic,
        "partition": commit.partition,
        "commit": commit.sequence,
        "first_offset": file.first_offset,
        "last_offset": file.last_offset,
        "records": file.records,
        "bytes": file.size,
        "key": file.key,
    }


def _gaps(reader: ArchiveReader) -> Iterator[Row]:
    for partition in reader.partitions():
        for commit in reader.commits(partition):
            yield from (gap_row(commit, gap) for gap in commit.gaps)


def _partitions(reader: ArchiveReader) -> Iterator[Row]:
    for partition in reader.partitions():
        commits = list(reader.commits(partition))
        files = [file for commit in commits for file in commit.files]
        yield {
            "topic": partition.topic,
            "partition": partition.partition,
            "from": commits[0].start,
            "to": commits[-1].end,
            "commits": len(commits),
            "records": sum(file.records for file in files if file.kind != QUARANTINE),
            "quarantined": sum(file.records for file in files if file.kind == QUARANTINE),
            "recovered": sum(one.records for commit in commits for one in commit.recovered),
            "skipped": sum(one.count for commit in commits for one in commit.skipped),
            "absent": sum(end - start for commit in commits for start, end in commit.absent),
            "lost": sum(gap.end - gap.start for commit in commits for gap in commit.gaps),
            "gaps": sum(len(commit.gaps) for commit in commits),
            "last_commit": commits[-1].committed_at,
        }
