"""What a replay of many keys costs: memory, disk and time. `python -m bench.replay_keys --help`.

Builds an archive in a folder with the archive's own writer (a creation and an update of each key,
REPLICA IDENTITY DEFAULT, updates in another order than creations, so that the version before each
must be looked for), runs `cdc-archive replay` on it, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer import root
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import Decoder
from cdc_archive.source.message import CREATE_TIME, Message
from cdc_archive.storage.local import LocalStore

TOPIC: Final = "pg.app.account"
PARTITIONS: Final = 4
EPOCH_MS: Final = 1_771_516_800_000
CHANGES_A_MS: Final = 2
COMMIT_RECORDS: Final = 200_000
MIB: Final = 1 << 20

MAPPING: Final = """
name = "bench"
[actor]
template = "@"
plain = "{type: 'session', session: {user: {id: @}}}"
[[actor.source]]
columns = { create = ["created_by"], update = ["updated_by"] }
[[rule]]
type = "account.updated"
tables = ["account"]
on = "update"
id = "row.id && to_string(row.id)"
changes = [{ field = "plan", columns = ["plan"] }]
"""

_PROGRAM: Final = "from cdc_archive.cli.main import main; main()"

_ROW: Final = (
    '{"id":%d,"email":"user%d@example.com","name":"Account number %d","plan":"%s","seats":%d,'
    '"note":"opened by the web form, billed monthly, no phone number given, region eu-west",'
    '"created_at":"2026-02-19T16:00:00.000000Z","created_by":"user_%d","updated_by":%s}'
)
_VALUE: Final = (
    '{"before":null,"after":%s,"source":{"version":"3.6.3.Final","connector":"postgresql",'
    '"name":"pg","ts_ms":%d,"snapshot":"false","db":"lab","sequence":"[\\"%d\\",\\"%d\\"]",'
    '"ts_us":%d,"ts_ns":%d,"schema":"app","table":"account","txId":%d,"lsn":%d,"xmin":null,'
    '"origin":null,"origin_lsn":null},"transaction":{"id":"%d:%d","total_order":1,'
    '"data_collection_order":1},"op":"%s","ts_ms":%d,"ts_us":%d,"ts_ns":%d}'
)


def message(partition: int, offset: int, change: int, op: str, key: int, changed: bool) -> Message:
    """A change as Debezium writes it; `change` counts all changes of the database."""
    ms = EPOCH_MS + change // CHANGES_A_MS
    lsn = 1_000_000 + 100 * change
    who = "null" if op == "c" else f'"user_{change % 997}"'
    row = _ROW % (key, key, key, "team" if changed else "free", change, key % 997, who)
    us, ns, xid = ms * 1_000, ms * 1_000_000, 700 + change
    value = _VALUE % (
        row, ms, lsn - 50, lsn, us, ns, xid, lsn, xid, lsn, op, ms, us, ns
    )  # fmt: skip
    return Message(
        TOPIC, partition, offset, ms, CREATE_TIME, b'{"id":%d}' % key, value.encode(), ()
    )


def changes(keys: int, partition: int, every: int) -> Iterator[Message]:
    """A partition's log: creations in the order of the keys, updates in that of a permutation."""
    offset = 0
    for key in range(partition, keys, PARTITIONS):
        yield message(partition, offset, key, "c", key, changed=False)
        offset += 1
    step = 7_368_787  # a prime that divides no round number of keys
    for n in range(keys):
        key = n * step % keys
        if key % PARTITIONS == partition:
            yield message(partition, offset, keys + n, "u", key, changed=key % every == 0)
            offset += 1


def write_partition(folder: Path, keys: int, every: int, partition: int) -> int:
    """Archive one partition; gives back the number of its records."""
    store = LocalStore(folder)
    info = root.open_or_create(store, time.time, lambda: "bench")
    committer = Committer(store, info.id, Writer("bench", "0", "bench"), time.time)
    place, decode = TopicPartition(TOPIC, partition), Decoder().decode
    head: Head | None = None
    batch = Batch(place, 0, decode, FileFormat(), skip=False)
    for one in changes(keys, partition, every):
        batch.take(one, 0.0)
        if batch.messages == COMMIT_RECORDS:
            head = committer.commit(batch, head).head
            batch = Batch(place, batch.next_offset, decode, FileFormat(), skip=False)
    if batch.messages:
        committer.commit(batch, head)
    return batch.next_offset


def build(folder: Path, keys: int, every: int) -> int:
    """Archive all partitions; gives back the number of records."""
    folder.mkdir(parents=True)
    root.open_or_create(LocalStore(folder), time.time, lambda: "bench")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(partial(write_partition, folder, keys, every), range(PARTITIONS)))


def replay(archive: Path, place: Path, jobs: int) -> dict[str, Any]:
    """Run `cdc-archive replay` and watch it."""
    mapping, out, work = place / "mapping.toml", place / "events.jsonl", place / "work"
    mapping.write_text(MAPPING)
    arguments = ["--mapping", mapping, "--out", out, "--work-dir", work, "--jobs", str(jobs)]
    begun, peak, disk = time.monotonic(), 0, 0
    with (place / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, "replay", *map(str, arguments)],
            env=os.environ | {"CDC_ARCHIVE_STORE__URL": str(archive)},
            stderr=stderr,
        )
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, resident(process.pid))
            disk = max(disk, size(work))
            time.sleep(0.5)
    seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((place / "stderr").read_text())
    return {
        "events": lines(out),
        "seconds": round(seconds, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_rss_mib": round(max(peak / MIB, used.ru_maxrss / 1024)),
        "peak_disk_mib": round(disk / MIB),
    }


def resident(pid: int) -> int:
    """Bytes that a process and its children have in memory."""
    total = 0
    for one in [pid, *children(pid)]:
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def children(pid: int) -> list[int]:
    """All processes below one."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [below for one in map(int, found) for below in (one, *children(one))]


def size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def lines(path: Path) -> int:
    """Lines of a file."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def main() -> int:
    """Build, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--every", type=int, default=10, help="one of so many updates is an event")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="kept; an archive that is there is taken")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cdc-archive-bench-") as temporary:
        place = asked.folder or Path(temporary)
        archive = place / f"archive-{asked.keys}-{asked.every}"
        begun = time.monotonic()
        if not archive.exists():
            build(archive, asked.keys, asked.every)
        built = time.monotonic() - begun
        done = replay(archive, place, asked.jobs)
        records = 2 * asked.keys
        told = {
            "keys": asked.keys,
            "records": records,
            "jobs": asked.jobs,
            "archive_mib": round(size(archive) / MIB),
            "built_s": round(built, 1),
            **done,
            "records_per_s": round(records / done["seconds"]),
        }
        print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
