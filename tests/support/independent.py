"""Reads an archive without any code of ours: boto3, json, hashlib and fastavro only.

Checks what the specification promises and gives back what the chain names.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import fastavro

Records = dict[tuple[Any, ...], list[dict[str, Any]]]


def read_archive(s3: Any, bucket: str, prefix: str) -> Records:
    """`read_chains` of an archive under a prefix of a bucket."""
    keys = [
        found["Key"].removeprefix(f"{prefix}/")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
        for found in page.get("Contents", ())
    ]

    def get(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read()

    return read_chains(get, keys)


def read_chains(get: Callable[[str], bytes], keys: list[str]) -> Records:
    """Records (and quarantined messages) of each (topic, partition), in offset order.

    Those of a later incarnation of the log stand under (topic, partition, incarnation). What was
    recovered takes the place of the quarantined message. Fails on a broken chain, an altered file,
    a path that is not the record's, an offset twice.
    """
    out: Records = {}
    previous: dict[tuple[str, int], tuple[str, int, int, int]] = {}
    for key in sorted(key for key in keys if key.startswith("commits/")):
        data = get(key)
        commit = json.loads(data)
        place = (commit["topic"], commit["partition"])
        sha, sequence, end, incarnation = previous.get(place, (None, -1, commit["from"], 0))
        assert (commit["previous"], commit["sequence"]) == (sha, sequence + 1), key
        if any(gap.get("kind") == "restarted" for gap in commit["gaps"]):
            incarnation, end = incarnation + 1, commit["from"]
        assert commit["from"] == end, key
        assert commit.get("log", {}).get("incarnation", 0) == incarnation, key
        sha = hashlib.sha256(data).hexdigest()
        previous[place] = (sha, commit["sequence"], commit["to"], incarnation)
        known = out.setdefault((*place, incarnation) if incarnation else place, [])
        accounted = _size(commit["absent"]) + sum(one["count"] for one in commit["skipped"])
        accounted += _size([gap["start"], gap["end"]] for gap in commit["gaps"])
        for file in commit["files"]:
            records = _records(get, file, place)
            assert all(commit["from"] <= one["offset"] < commit["to"] for one in records), key
            accounted += len(records)
            known.extend(records)
        assert accounted == commit["to"] - commit["from"], key
        for one in commit.get("recovered", ()):
            again = out[(*place, one["incarnation"]) if one["incarnation"] else place]
            _put_back(again, one, [r for file in one["files"] for r in _records(get, file, place)])
    for records in out.values():
        records.sort(key=lambda record: record["offset"])
        offsets = [record["offset"] for record in records]
        assert len(offsets) == len(set(offsets))
    return {place: records for place, records in out.items() if records}


def _size(ranges: Iterable[list[int]]) -> int:
    return sum(end - start for start, end in ranges)


def _put_back(known: list[dict[str, Any]], one: dict[str, Any], records: list[dict]) -> None:
    offsets = {offset for start, end in one["offsets"] for offset in range(start, end)}
    assert sorted(record["offset"] for record in records) == sorted(offsets)
    waiting = [r for r in known if "reason" in r and r["offset"] in offsets]
    assert len(waiting) == len(offsets), "recovered, but not in quarantine"
    for record in waiting:
        known.remove(record)
    known.extend(records)


def _records(get: Callable[[str], bytes], file: dict[str, Any], place: tuple) -> list[dict]:
    content = get(file["key"])
    assert hashlib.sha256(content).hexdigest() == file["sha256"], file["key"]
    records = list(fastavro.reader(io.BytesIO(content)))
    assert len(records) == file["records"]
    for record in records:
        _check_place(record, file, place)
    return records


def _check_place(record: dict, file: dict, place: tuple) -> None:
    assert (record["topic"], record["partition"]) == place
    if file["kind"] == "changes":
        when = record["event_time_us"]
        assert f"/date={when:%Y-%m-%d}/hour={when:%H}/" in file["key"]
        assert f"table={record['table']}/" in file["key"]


Content = tuple[int, bytes | None, tuple[tuple[str, bytes | None], ...], bytes | None]
"""Offset, key, headers and value of a message."""

_PARTS = {0x01: "before", 0x02: "after", 0x03: "source", 0x04: "transaction"}


def restored(record: dict[str, Any]) -> Content:
    """The message that a record (or a quarantined one) was made of, byte for byte.

    By schemas/ARCHIVE_FORMAT.md, "Envelope text"; messages with a Connect schema are not used here.
    """
    headers = tuple((header["name"], header["value"]) for header in record["headers"])
    if "reason" in record:
        return record["offset"], record["key"], headers, record["value"]
    text = record["envelope"]
    if text is None:
        return record["offset"], record["key"], headers, None
    value = "".join(
        record[_PARTS[ord(character)]] if ord(character) in _PARTS else character
        for character in text
    )
    return record["offset"], record["key"], headers, value.encode()


def fingerprint(messages: Iterable[Content]) -> str:
    """sha256 over offset, key, headers and value of all messages, each part with its length."""
    running = hashlib.sha256()
    for offset, key, headers, value in messages:
        parts = [b"%d" % offset, key, value, b"%d" % len(headers)]
        parts += [part for name, content in headers for part in (name.encode(), content)]
        for part in parts:
            running.update(b"-" if part is None else b"%d:" % len(part) + part)
    return running.hexdigest()


def committed_to(s3: Any, bucket: str, prefix: str) -> dict[tuple[str, int], int]:
    """`to` of the last commit of each chain: how far the archive has come."""
    last: dict[str, str] = {}
    pages = s3.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=f"{prefix}/commits/"):
        for found in page.get("Contents", ()):
            last[found["Key"].rpartition("/")[0]] = found["Key"]
    heads = [
        json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in last.values()
    ]
    return {(head["topic"], head["partition"]): head["to"] for head in heads}
