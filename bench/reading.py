"""What reading an archive costs. `python -m bench.reading --help`.

Makes archives in a folder by the archive's own writer, serves them by an S3 server on the loopback
(versitygw, built by infra/local), and prints a line of JSON for each figure, the best of three.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from bench import reading_archive
from bench.reading_archive import TABLES, Size
from cdc_archive import schema_files
from cdc_archive.archive.format import change_block
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.row_search import Survey
from cdc_archive.audit import mapping
from cdc_archive.audit.build import AuditEvent, Builder
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.history.fold import Fold
from cdc_archive.history.order import ChangeStream
from cdc_archive.history.redelivery import MemorySeen, Redeliveries
from cdc_archive.history.states import MemoryStates
from cdc_archive.history.transition import Transition
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.run import Order, read_row, replay
from cdc_archive.sinks.sink import Line
from cdc_archive.storage.local import LocalStore
from infra.local import artifacts
from infra.local.processes import StateFolder

SMALL: Final = Size(hours=4, changes=20_000, partitions=1)
LARGE: Final = Size(hours=125, changes=5_000, partitions=4)
START_COMMITS: Final = 100_000
START_PARTITIONS: Final = 12
BUCKET: Final = "bench"
_PROGRAM: Final = "from cdc_archive.cli.main import main; main()"
_HEADS: Final = """
from cdc_archive.archive.reader import chain
from cdc_archive.cli import wiring
from cdc_archive.config import load
from cdc_archive.changelog.position import TopicPartition
from pathlib import Path
settings = load.from_process(None, ("store",)).settings
store = wiring.open_store(settings)
archive = wiring.open_reader(settings).info.id
heads = [chain.head(store, archive, TopicPartition("pg.app.api_key", n)) for n in range({})]
assert all(heads)
"""


class _Lines:
    """A sink that counts."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, line: Line) -> None:
        self.count += 1

    def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to take back."""


def told(what: str, **figures: Any) -> None:
    """Print one line."""
    print(json.dumps({"what": what, **figures}), flush=True)


def best(work: Callable[[], int], times: int = 3) -> tuple[int, float]:
    """What work gives, and its least CPU seconds."""
    seconds, found = float("inf"), 0
    for _ in range(times):
        begun = time.process_time()
        found = work()
        seconds = min(seconds, time.process_time() - begun)
    return found, seconds


def scanning(folder: Path) -> None:
    """Records a CPU second: all of them as values; and looked at for a key, as `cat` and `history`
    do where there are no key statistics. Then the same without what is compiled.
    """
    reader = ArchiveReader(LocalStore(folder))
    partitions = reader.partitions()

    def everything() -> int:
        return sum(1 for one in partitions for _ in reader.scan(one))

    def one_key() -> int:
        survey = Survey(AskedKey(["17"]))
        return sum(1 for one in partitions for _ in reader.scan(one, glance=survey.glance))

    assert change_block.compiled, "the reader is not compiled: is there a C compiler?"
    for how, reads in (("", change_block.compiled), (", not compiled", None)):
        with patch.object(change_block, "compiled", reads):
            records, whole_s = best(everything)
            found, key_s = best(one_key)
        told(f"scan, every record built{how}", records=records, per_cpu_s=round(records / whole_s))
        told(f"scan, for one key{how}", found=found, per_cpu_s=round(records / key_s))


def transitions(folder: Path, count: int) -> Iterator[Transition]:
    """The steps of rows of each partition's first changes, known to be new as in a replay."""
    reader, rules = ArchiveReader(LocalStore(folder)), _rules()
    for number, partition in enumerate(reader.partitions()):
        fold, redeliveries = Fold(MemoryStates(), read_row(rules)), Redeliveries(MemorySeen())
        for change in islice(ChangeStream(number, reader.scan(partition)), count):
            assert redeliveries.is_new(change)
            yield from fold.apply(change)


def building(folder: Path) -> None:
    """Events a CPU second, out of transitions that are events and out of all."""
    steps, builder = [*transitions(folder, 5_000)], Builder(_rules())

    def events(of: list[Transition]) -> int:
        return sum(isinstance(made, AuditEvent) for step in of for made in builder.build(step))

    telling = [step for step in steps if events([step])]
    for what, of in (("each an event", telling), ("others too", steps)):
        count, seconds = best(partial(events, of))
        told(f"build events, {what}", steps=len(of), events=count, per_cpu_s=round(count / seconds))


def replaying(folder: Path) -> None:
    """A whole replay with the OpenAI-shaped mapping, state on disk."""
    text = (schema_files.root() / DEFAULT_MAPPING).read_text()
    with tempfile.TemporaryDirectory(prefix="cdc-archive-bench-") as place:
        lines, begun = _Lines(), time.process_time()
        report = replay(Order(partial(_open, folder), text, Asked()), lines, Path(place) / "work")
        seconds = time.process_time() - begun
    told(
        "replay",
        changes=report.records,
        events=lines.count,
        cpu_us_a_change=round(seconds / report.records * 1e6, 1),
    )


def _open(folder: Path) -> ArchiveReader:
    return ArchiveReader(LocalStore(folder))


def _rules() -> mapping.Mapping:
    return mapping.load(schema_files.root() / DEFAULT_MAPPING)


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """An S3 server over the archives of a folder; gives the settings that reach it."""
    secret = "bench-secret"
    with tempfile.TemporaryDirectory(prefix="cdc-archive-bench-") as beside:
        port = StateFolder(Path(beside)).port("s3")
        listen = ("--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive")
        process = subprocess.Popen(
            [artifacts.versitygw(), *listen, "posix", "--sidecar", beside, folder],
            env=os.environ | {"ROOT_ACCESS_KEY": BUCKET, "ROOT_SECRET_KEY": secret},
            stdout=subprocess.DEVNULL,
        )
        time.sleep(1.0)
        try:
            yield {
                "CDC_ARCHIVE_STORE__ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "CDC_ARCHIVE_STORE__ACCESS_KEY_ID": BUCKET,
                "CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": secret,
                "CDC_ARCHIVE_STORE__REGION": "us-east-1",
                "CDC_ARCHIVE_STORE__PATH_STYLE": "true",
            }
        finally:
            process.terminate()
            process.wait()


def timed(what: str, code: str, *arguments: str, **settings: str) -> None:
    """The wall and CPU seconds of a Python program, the best of three."""
    runs = []
    for _ in range(3):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        runs.append((time.monotonic() - begun, cpu))
    wall, cpu = min(runs)
    told(what, wall_s=round(wall, 2), cpu_s=round(cpu, 2))


def on_s3(folder: Path, size: Size) -> None:
    """History of single rows, and what a worker does before it polls, on an S3 server."""
    with served(folder) as settings:
        where = settings | {"CDC_ARCHIVE_STORE__URL": f"s3://{BUCKET}/large"}
        rows = size.hours * size.changes // 5
        for key in (size.partitions * rows // 2, size.partitions * 10):
            what = f"history of key {key}, {size.records:,} changes, {size.files:,} files"
            timed(what, _PROGRAM, "history", f"lab.app.{TABLES[0]}", "--key", str(key), **where)
        where["CDC_ARCHIVE_STORE__URL"] = f"s3://{BUCKET}/start"
        what = f"heads of {START_PARTITIONS} chains, {START_COMMITS:,} commits: a worker's start"
        timed(what, _HEADS.format(START_PARTITIONS), **where)


def _made(folder: Path, build: Callable[[Path], None]) -> Path:
    if not folder.exists():
        begun = time.monotonic()
        build(folder)
        told(f"built {folder.name}", wall_s=round(time.monotonic() - begun, 1))
    return folder


def main() -> int:
    """Build what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="kept; archives that are there are taken")
    parser.add_argument("--no-s3", action="store_true", help="only what needs no S3 server")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cdc-archive-bench-") as temporary:
        place = (asked.folder or Path(temporary)) / BUCKET
        small = _made(place / "small", lambda path: reading_archive.build(path, SMALL))
        timed("--help", _PROGRAM, "--help")
        scanning(small)
        building(small)
        replaying(small)
        if not asked.no_s3:
            _made(place / "large", lambda path: reading_archive.build(path, LARGE))
            _made(
                place / "start",
                lambda path: reading_archive.many_commits(path, START_COMMITS, START_PARTITIONS),
            )
            on_s3(place.parent, LARGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
