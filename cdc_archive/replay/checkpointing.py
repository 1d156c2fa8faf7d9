"""Makes a state checkpoint: folds everything before a time, and keeps what is known of all rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.checkpoint import (
    FORMAT,
    Checkpoint,
    ConnectorState,
    Part,
    StreamState,
)
from cdc_archive.archive.format.codecs import COMPRESS
from cdc_archive.archive.format.commit import digest
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.archive.reader.woven import NamedFile
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.errors import NothingFound
from cdc_archive.history.order import Reached
from cdc_archive.replay import disk_states, processes
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.beside import SAME_TRANSACTION_US
from cdc_archive.replay.plan import Plan, PlannedFiles, holds_rows, shares, tables_of
from cdc_archive.replay.planning import Planning
from cdc_archive.replay.progress import Progress
from cdc_archive.replay.report import Report
from cdc_archive.replay.run import Order, reading_of, run_job
from cdc_archive.replay.workspace import Workspace, open_database
from cdc_archive.storage.object_store import ObjectStore

_PART_BYTES: Final = 16 << 20
_HOUR_US: Final = 3_600_000_000


class Made(NamedTuple):
    """A checkpoint that was made: its key, its time in microseconds, its rows, its bytes."""

    key: str
    at_us: int
    rows: int
    size: int


def make(order: Order, store: ObjectStore, at_us: int | None, folder: Path, jobs: int) -> Made:
    """Make a checkpoint and keep it in the archive.

    Args:
        order: the archive and the mapping, whose type hints rows are read with.
        store: where the archive lies.
        at_us: event time, in microseconds, before which changes are in the state; None: the
            beginning of the hour of the newest archived change.
        folder: for what does not fit into memory.
        jobs: how many processes.

    Raises:
        NothingFound: the archive holds no change before that time.
    """
    workspace = Workspace(folder)
    with ExitStack() as opened:
        opened.enter_context(workspace.held())
        workspace.clear()
        planning = Planning(opened.enter_context(closing(open_database(workspace.plan))))
        reader = order.open_reader()
        plan, _ = planning.walk(reader, None)
        at_us = _newest_hour(planning.files) if at_us is None else at_us
        _deal(planning, plan, at_us, jobs)
        cut = order._replace(asked=Asked(Window(at_us, at_us)))
        processes.run_all(partial(run_job, cut, folder, cut=True), planning.jobs(), jobs)
        paths = [workspace.job(number) for number in range(planning.jobs())]
        databases = [opened.enter_context(closing(open_database(path))) for path in paths]
        return _Keeping(reader, store, plan, planning.files, at_us).keep(
            databases, reading_of(order.mapping())
        )


def _newest_hour(files: PlannedFiles) -> int:
    newest = max((file.max_event_time_us or 0 for _, file in files.contents()), default=0)
    return newest // _HOUR_US * _HOUR_US


def _deal(planning: Planning, plan: Plan, at_us: int, jobs: int) -> None:
    before = Window(None, at_us)

    if not any(holds_rows(file) and before.may_hold(file) for _, file in planning.files.contents()):
        raise NothingFound(
            f"the archive holds no change before {datetime.fromtimestamp(at_us / 1e6, UTC)}",
            "Give another time with --at; see: cdc-archive ls --by hour",
        )
    # A table that begins later is read as well: what a stream has passed must be in the state.
    dealt = shares(tables_of(planning.files.contents(), holds_rows), jobs)
    planning.keep("a checkpoint", plan, dealt, Report())


class _Keeping:
    """Writes what finished jobs know into the archive."""

    def __init__(
        self, reader: ArchiveReader, store: ObjectStore, plan: Plan, files: PlannedFiles, at_us: int
    ) -> None:
        self._reader = reader
        self._store = store
        self._plan = plan
        self._files = files
        self._at_us = at_us

    def keep(self, databases: Sequence[sqlite3.Connection], reading: str) -> Made:
        """The parts, and then the manifest: it is there only when all of it is."""
        known: dict[str, Progress] = {}
        parts: dict[str, list[Part]] = {}
        for database in databases:
            for connector, progress in Progress.load_all(database).items():
                known[connector] = progress.joined(known.get(connector, Progress()))
                parts.setdefault(connector, []).extend(self._parts(database, connector))
        reached = {stream: at for one in known.values() for stream, at in one.reached.items()}
        connectors = [
            ConnectorState(connector, progress.known().encode().decode(), parts[connector])
            for connector, progress in sorted(known.items())
        ]
        account = Report()
        streams = [self._stream(n, reached.get(n, Reached()), account) for n in self._numbers()]
        manifest = Checkpoint(
            FORMAT,
            self._reader.info.id,
            self._at_us,
            reading,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            streams,
            connectors,
            {name: [*times] for name, times in self._plan.restarts.items()},
            account.counts(),
        )
        data = manifest.encode()
        key = layout.checkpoint_key(self._at_us, digest(data))
        self._store.create(key, data)
        kept = [part for one in connectors for part in one.parts]
        size = len(data) + sum(part.size for part in kept)
        return Made(key, self._at_us, sum(part.rows for part in kept), size)

    def _numbers(self) -> range:
        return range(len(self._plan.heads))

    def _stream(self, number: int, reached: Reached, account: Report) -> StreamState:
        partition = self._plan.partition(number)
        sequence = self._settled(number, reached)
        if sequence is None:
            return _state(self._plan.heads[number], None, None, reached)
        for counts in self._files.account(number, sequence):
            account.add(counts)
        sha256 = self._reader.link(partition, sequence).sha256
        return _state(self._plan.heads[number], sequence, sha256, reached)

    def _settled(self, number: int, reached: Reached) -> int | None:
        """The last commit whose files, and those before it, a later run need not read again.

        What tells of an actor may stand up to a day before the change.
        """
        if self._files.begins_anew(number):
            return None
        early = self._at_us - SAME_TRANSACTION_US

        def is_settled(named: NamedFile) -> bool:
            file = named.file
            passed = reached.passed(named.incarnation, file.last_offset)
            folded = passed or not holds_rows(file)
            return folded and (file.max_event_time_us or 0) < early

        first = self._files.first_not(number, is_settled)
        sequence = self._plan.heads[number][2] if first is None else first - 1
        return None if sequence < 0 else sequence

    def _parts(self, database: sqlite3.Connection, connector: str) -> Iterator[Part]:
        lines: list[bytes] = []
        tables: set[str] = set()
        size = 0
        for table, key, version in disk_states.rows_of(database, connector):
            line = exact_json([table, key, version.decode()])
            lines.append(line)
            tables.add(table)
            size += len(line)
            if size >= _PART_BYTES:
                yield self._part(lines, tables)
                lines, tables, size = [], set(), 0
        if lines:
            yield self._part(lines, tables)

    def _part(self, lines: list[bytes], tables: set[str]) -> Part:
        data = COMPRESS["zstandard"](b"\n".join(lines))
        sha256 = digest(data)
        key = layout.checkpoint_part_key(self._at_us, sha256)
        self._store.create(key, data)
        return Part(key, len(data), sha256, len(lines), sorted(tables))


def _state(
    stream: tuple[str, int, int, str], sequence: int | None, sha256: str | None, reached: Reached
) -> StreamState:
    topic, partition, head, _ = stream
    connector, at, latest, latest_time_us = reached
    return StreamState(
        topic, partition, head, sequence, sha256, connector, at, latest, latest_time_us
    )
