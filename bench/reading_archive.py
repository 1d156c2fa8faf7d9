"""Archives to read from, made by the archive's own writer of changes as Debezium writes them.

Four tables, about 1 KB a change, REPLICA IDENTITY FULL for two of them; a fifth of the changes
creates a row, the others update one that is there. Each commit of a topic partition is an hour's.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer import root
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.archive.writer.sealing import Sealer
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import Decoder
from cdc_archive.source.message import CREATE_TIME, Message
from cdc_archive.storage.local import LocalStore
from cdc_archive.storage.object_store import ObjectStore

TABLES: Final = ("api_key", "project", "invite", "organization_user")
EPOCH_S: Final = 1_771_516_800
HOUR_S: Final = 3600
_FULL: Final = ("project", "organization_user")
_HEADERS: Final = (
    ("__debezium.context.connectorLogicalName", b"pg"),
    ("__debezium.context.taskId", b"0"),
    ("__debezium.context.connectorName", b"postgresql"),
    ("__debezium.context.runId", b"01a20815-f3d1-7a19-8c3e-d904d4cec2c9"),
)
_ROW: Final = (
    '{"id":%d,"name":"%s","title":"%s","email":"user%d@example.com","scopes":["%s"],"role":"%s",'
    '"project_id":%d,"secret_hash":"%s","note":"made by the web form, region eu-west",'
    '"created_at":"2026-02-19T16:00:00.000000Z","updated_at":"%s","created_by":"user_%d",'
    '"updated_by":"user_%d","deleted_at":null,"status":"%s"}'
)
_VALUE: Final = (
    '{"before":%s,"after":%s,"source":{"version":"3.6.3.Final","connector":"postgresql",'
    '"name":"pg","ts_ms":%d,"snapshot":"false","db":"lab","sequence":"[\\"%d\\",\\"%d\\"]",'
    '"ts_us":%d,"ts_ns":%d,"schema":"app","table":"%s","txId":%d,"lsn":%d,"xmin":null},'
    '"transaction":{"id":"%d:%d","total_order":1,"data_collection_order":1},'
    '"op":"%s","ts_ms":%d,"ts_us":%d,"ts_ns":%d}'
)


class Size(NamedTuple):
    """Hours, changes of a table's partition in an hour, partitions of each topic."""

    hours: int
    changes: int
    partitions: int

    @property
    def records(self) -> int:
        """All changes."""
        return self.hours * self.changes * self.partitions * len(TABLES)

    @property
    def files(self) -> int:
        """All data files."""
        return self.hours * self.partitions * len(TABLES)


def changes(table: str, partition: int, size: Size) -> Iterator[Message]:
    """The log of one topic partition; equal in every run."""
    rng = random.Random(f"{table}/{partition}")
    rows: list[str] = []
    for offset in range(size.hours * size.changes):
        hour, within = divmod(offset, size.changes)
        us = (EPOCH_S + hour * HOUR_S) * 1_000_000 + within * (HOUR_S * 1_000_000 // size.changes)
        is_new = offset % 5 == 0
        number = len(rows) if is_new else rng.randrange(len(rows))
        key = number * size.partitions + partition
        after, before = _row(rng, key), "null" if is_new else rows[number]
        if is_new:
            rows.append(after)
        elif table in _FULL:
            rows[number] = after
        ms, lsn = us // 1000, 1_000_000 + 1_000 * offset + 10 * partition
        value = _VALUE % (
            before if table in _FULL else "null", after, ms, lsn - 50, lsn, us, us * 1000,
            table, offset, lsn, offset, lsn, "c" if is_new else "u", ms + 9, us + 9_000, us * 1000,
        )  # fmt: skip
        message_key = b'{"id":%d}' % key
        yield Message(
            f"pg.app.{table}", partition, offset, ms + 20, CREATE_TIME, message_key, value.encode(),
            _HEADERS,
        )  # fmt: skip


def _row(rng: random.Random, key: int) -> str:
    who, number = rng.randrange(1000), rng.getrandbits(128)
    return _ROW % (
        key, f"name {number % 99991}", f"title {number % 9973}", who, ("read", "write")[number % 2],
        ("owner", "reader", "member")[number % 3], number % 5000, f"{number:032x}",
        f"2026-02-{number % 28 + 1:02d}T16:00:00.000000Z", who, number % 997,
        ("active", "archived")[number % 2],
    )  # fmt: skip


def build(folder: Path, size: Size) -> None:
    """An archive with sealed hours, in a folder."""
    folder.mkdir(parents=True)
    root.open_or_create(LocalStore(folder), lambda: EPOCH_S, lambda: "bench")
    places = [(table, number) for table in TABLES for number in range(size.partitions)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(partial(_write, folder, size), places))
    seal(LocalStore(folder), EPOCH_S + (size.hours + 1) * HOUR_S)


def _write(folder: Path, size: Size, place: tuple[str, int]) -> None:
    write(LocalStore(folder), size, *place)


def write(store: ObjectStore, size: Size, table: str, partition: int) -> None:
    """Archive one topic partition, an hour a commit."""
    now = EPOCH_S
    info = root.open_or_create(store, time.time, lambda: "bench")
    committer = Committer(store, info.id, Writer("bench", "0", "bench"), lambda: now)
    where, decode = TopicPartition(f"pg.app.{table}", partition), Decoder().decode
    head: Head | None = None
    batch = Batch(where, 0, decode, FileFormat(), skip=False)
    for message in changes(table, partition, size):
        batch.take(message, 0.0)
        if batch.messages == size.changes:
            now += HOUR_S
            head = committer.commit(batch, head).head
            batch = Batch(where, batch.next_offset, decode, FileFormat(), skip=False)


def seal(store: ObjectStore, now: int) -> None:
    """Seal all hours that are over."""
    info = root.open_or_create(store, time.time, lambda: "bench")
    sealer = Sealer(store, info, Writer("bench", "0", "bench"), lambda: now, None, 0.0)
    for _ in sealer.due():
        pass


def many_commits(folder: Path, commits: int, partitions: int) -> None:
    """An archive of `commits` tiny commits, not sealed."""
    folder.mkdir(parents=True)
    store = LocalStore(folder)
    size = Size(commits // partitions, 1, partitions)
    for number in range(partitions):
        write(store, size, TABLES[0], number)
