"""Rows that an archive of ours holds, counted without our code: by commit, file and block."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from typing import Any, NamedTuple

import fastavro

from bench.stack import objects
from infra.local.parts import BUCKET


class Stored(NamedTuple):
    """Rows by partition; objects but for commits; bytes of all."""

    rows: dict[int, int]
    files: int
    commits: int
    bytes: int


def in_bucket(s3: Any, prefix: str) -> Stored:
    """Count an archive.

    Raises:
        AssertionError: a file is not what its commit says, or offsets are missing.
    """
    found = objects(s3, prefix)

    def get(key: str) -> bytes:
        data: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    rows: Counter[int] = Counter()
    commits = sorted(key for key in found if key.startswith(f"{prefix}/commits/"))
    files = 0
    for key in commits:
        commit = json.loads(get(key))
        assert commit["from"] == rows[commit["partition"]], f"{key}: offsets are missing"
        for file in commit["files"]:
            data = get(f"{prefix}/{file['key']}")
            assert hashlib.sha256(data).hexdigest() == file["sha256"], file["key"]
            rows[commit["partition"]] += sum(
                block.num_records for block in fastavro.block_reader(io.BytesIO(data))
            )
            files += 1
        assert commit["to"] == rows[commit["partition"]], f"{key}: rows are missing"
    return Stored(dict(sorted(rows.items())), files, len(commits), sum(found.values()))
