"""What an archive holds, counted without our code: chain, files and rows, one file at a time."""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

from bench.load import proven


class Archived(NamedTuple):
    """Counts of an archive whose rows were all proven; `ends` is messages by partition."""

    ends: dict[int, int]
    commits: int
    files: int
    stored_bytes: int


def count(keys: Iterable[str], get: Callable[[str], bytes]) -> Archived:
    """Read it all.

    Args:
        keys: of all objects, relative to the archive's root.
        get: reads one.

    Raises:
        AssertionError: an offset is missing or there twice, a row or a file is not what it was.
    """
    ends: dict[int, int] = defaultdict(int)
    commits = files = stored = 0
    for key in sorted(key for key in keys if key.startswith("commits/")):
        data = get(key)
        commit = json.loads(data)
        partition = commit["partition"]
        assert commit["from"] == ends[partition], f"{key}: offsets are missing or there twice"
        offsets = [offset for file in commit["files"] for offset in _offsets(file, get)]
        assert sorted(offsets) == [*range(commit["from"], commit["to"])], key
        ends[partition] = commit["to"]
        commits, files = commits + 1, files + len(commit["files"])
        stored += len(data) + sum(file["size"] for file in commit["files"])
    return Archived(dict(ends), commits, files, stored)


def _offsets(file: dict[str, Any], get: Callable[[str], bytes]) -> list[int]:
    data = get(file["key"])
    assert hashlib.sha256(data).hexdigest() == file["sha256"], file["key"]
    offsets = []
    for record in fastavro.reader(io.BytesIO(data)):
        assert isinstance(record, dict)
        assert proven(record["key"], record["after"].encode()), (file["key"], record["offset"])
        offsets.append(record["offset"])
    return offsets


def in_bucket(s3: Any, bucket: str, prefix: str) -> Archived:
    """An archive in S3."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
    found = [one["Key"] for page in pages for one in page.get("Contents", ())]
    return count(
        [key.removeprefix(prefix + "/") for key in found],
        lambda key: s3.get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read(),
    )


def in_folder(root: Path) -> Archived:
    """An archive in a folder."""
    files = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    return count(files, lambda key: (root / key).read_bytes())
