"""Iceberg tables in the bucket and their catalog in SQLite, made and counted without Iceberg."""

from __future__ import annotations

import io
import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import fastavro

from bench.peers import tables
from bench.stack import bucket, objects
from infra.local.parts import BUCKET

NAMESPACE, CATALOG = "app", "bench"
_DELETED = 2
"""https://iceberg.apache.org/spec/#manifest-entry-fields."""
_SQL = (
    "CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) "
    "NOT NULL, table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), "
    "previous_metadata_location VARCHAR(1000), "
    "PRIMARY KEY (catalog_name, table_namespace, table_name))"
)
"""As the JDBC catalog makes it, schema version V0."""


class Counted(NamedTuple):
    """What the tables hold: rows, data files, snapshots; bytes of all objects, metadata too."""

    rows: int
    files: int
    commits: int
    bytes: int


class Warehouse(NamedTuple):
    """The catalog's file, and the prefix of the tables in the bucket."""

    catalog: Path
    prefix: str

    @property
    def url(self) -> str:
        """Of the tables."""
        return f"s3://{BUCKET}/{self.prefix}"

    @classmethod
    def made(
        cls, prefix: str, kinds: Mapping[str, tables.Kind], file_format: str, folder: Path
    ) -> Self:
        """With an empty table for each of the database's."""
        made = cls(folder / f"{prefix}.db", prefix)
        properties = {"write.format.default": file_format}
        properties["write.avro.compression-codec"] = "zstd"  # Parquet's default
        s3, now_ms = bucket(), int(time.time() * 1000)
        with closing(sqlite3.connect(made.catalog)) as catalog, catalog:
            catalog.execute(_SQL)
            for table, kind in kinds.items():
                location = f"{made.url}/{table}"
                described = tables.metadata(kind, location, str(uuid.uuid4()), now_ms, properties)
                url = f"{location}/metadata/00000-{uuid.uuid4()}.metadata.json"
                s3.put_object(Bucket=BUCKET, Key=_key(url), Body=json.dumps(described).encode())
                row = (CATALOG, NAMESPACE, table, url, None)
                catalog.execute("INSERT INTO iceberg_tables VALUES (?, ?, ?, ?, ?)", row)
        return made

    def counted(self) -> Counted:
        """Rows of the current snapshots by their manifests, each file looked up in the bucket.

        Raises:
            AssertionError: a file is not of the size that its manifest says.
        """
        s3, rows, files, commits = bucket(), 0, 0, 0
        there = objects(s3, self.prefix)

        def get(url: str) -> bytes:
            data: bytes = s3.get_object(Bucket=BUCKET, Key=_key(url))["Body"].read()
            return data

        with closing(sqlite3.connect(self.catalog)) as catalog:
            found = catalog.execute("SELECT metadata_location FROM iceberg_tables").fetchall()
        for (location,) in found:
            described = json.loads(get(location))
            commits += len(described.get("snapshots", ()))
            for file in live(described, get):
                assert there[_key(file["file_path"])] == file["file_size_in_bytes"], file
                rows, files = rows + file["record_count"], files + 1
        return Counted(rows, files, commits, sum(there.values()))


def live(described: Mapping[str, Any], get: Callable[[str], bytes]) -> Iterator[dict[str, Any]]:
    """The data files of a table's current snapshot.

    Args:
        described: the table's metadata.
        get: reads what lies at a URL.
    """
    current = described.get("current-snapshot-id")
    for snapshot in described.get("snapshots", ()):
        if snapshot["snapshot-id"] != current:
            continue
        for manifest in _records(get(snapshot["manifest-list"])):
            for entry in _records(get(manifest["manifest_path"])):
                if entry["status"] != _DELETED:
                    yield entry["data_file"]


def _records(file: bytes) -> Iterator[dict[str, Any]]:
    return cast("Iterator[dict[str, Any]]", fastavro.reader(io.BytesIO(file)))


def _key(url: str) -> str:
    return url.removeprefix(f"s3://{BUCKET}/")
