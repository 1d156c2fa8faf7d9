"""Reads an archive without any code of ours: boto3, json, hashlib and fastavro only.

Checks what the specification promises and gives back what the chain names.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import fastavro


def read_archive(s3: Any, bucket: str, prefix: str) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Records (and quarantined messages) of each topic partition, in offset order.

    Fails on a broken chain, an altered file, a path that is not the record's, an offset twice.
    """
    keys = [
        found["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
        for found in page.get("Contents", ())
    ]

    def get(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    out: dict[tuple[str, int], list[dict[str, Any]]] = {}
    previous: dict[tuple[str, int], tuple[str, int, int]] = {}
    for key in sorted(key for key in keys if key.startswith(f"{prefix}/commits/")):
        data = get(key)
        commit = json.loads(data)
        place = (commit["topic"], commit["partition"])
        sha, sequence, end = previous.get(place, (None, -1, commit["from"]))
        assert (commit["previous"], commit["sequence"]) == (sha, sequence + 1), key
        assert commit["from"] == end, key
        previous[place] = (hashlib.sha256(data).hexdigest(), commit["sequence"], commit["to"])
        accounted = sum(skipped["count"] for skipped in commit["skipped"])
        accounted += sum(b - a for a, b in commit["absent"])
        for file in commit["files"]:
            content = get(f"{prefix}/{file['key']}")
            assert hashlib.sha256(content).hexdigest() == file["sha256"], file["key"]
            records = list(fastavro.reader(io.BytesIO(content)))
            assert len(records) == file["records"]
            accounted += len(records)
            for record in records:
                _check_place(record, file, place, commit)
            out.setdefault(place, []).extend(records)
        assert accounted == commit["to"] - commit["from"], key
    for records in out.values():
        records.sort(key=lambda record: record["offset"])
        offsets = [record["offset"] for record in records]
        assert len(offsets) == len(set(offsets))
    return out


def _check_place(record: dict, file: dict, place: tuple[str, int], commit: dict) -> None:
    assert (record["topic"], record["partition"]) == place
    assert commit["from"] <= record["offset"] < commit["to"]
    if file["kind"] == "changes":
        when = record["event_time_us"]
        assert f"/date={when:%Y-%m-%d}/hour={when:%H}/" in file["key"]
        assert f"table={record['table']}/" in file["key"]
