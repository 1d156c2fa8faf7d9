"""Running a worker from the command line: logs, HTTP, signals, and a line that shows progress."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from cdc_archive.archive.writer import express
from cdc_archive.cli import heap, wiring
from cdc_archive.config import show
from cdc_archive.config.load import Loaded
from cdc_archive.config.settings import Settings
from cdc_archive.source.source import Source
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.telemetry import logs
from cdc_archive.telemetry.http import HealthServer
from cdc_archive.telemetry.metrics import Metrics
from cdc_archive.worker.observed import Observed

_log = structlog.get_logger(__name__)


def run_worker(loaded: Loaded, source: Source, *, serve: bool) -> Observed:
    """Archive what the source gives until a signal or its end.

    Args:
        loaded: the settings.
        source: where messages come from.
        serve: whether to listen for /metrics, /healthz and /readyz.
    """
    heap.give_back()
    settings = loaded.settings
    level, form = settings.worker.log_level, settings.worker.log_format
    on_terminal = sys.stderr.isatty() and form == "auto"
    logs.configure("warning" if on_terminal else level, form, show.secrets(loaded))
    metrics = Metrics()
    observed = Observed(metrics, settings.worker.health_stale_seconds)
    store = wiring.open_store(settings, metrics.store_retries.inc)
    if on_terminal:
        observed.on_step = _progress_line(observed)
    try:
        with stopped_by_signals() as stop, _served(loaded, metrics, observed, serve=serve):
            worker = wiring.worker(settings, source, store, observed)
            heap.leave_alone_what_is_loaded()
            _log.info("started", express_lane="compiled" if express.compiled else "python")
            with _sealed(settings, store, metrics, serve=serve):
                worker.run(stop)
    finally:
        store.close()
        if on_terminal:
            sys.stderr.write("\n")
    _log.info("stopped", messages=observed.taken_count, commits=observed.commit_count)
    return observed


@contextmanager
def stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM and SIGINT ask for a graceful stop; a second one gets the system's usual answer."""
    stop = threading.Event()

    def asked(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _served(loaded: Loaded, metrics: Metrics, observed: Observed, *, serve: bool) -> Iterator[None]:
    worker = loaded.settings.worker
    if not serve or worker.http_port < 0:
        yield
        return
    with listening(
        HealthServer(
            worker.http_host,
            worker.http_port,
            metrics.registry,
            observed.unhealthy,
            observed.not_ready,
        ),
        worker.http_host,
    ):
        yield


@contextmanager
def listening(server: HealthServer, host: str) -> Iterator[None]:
    """A server, until the end; the log tells where it listens."""
    _log.info("listening", address=f"http://{host}:{server.port}/metrics")
    try:
        yield
    finally:
        server.close()


@contextmanager
def _sealed(
    settings: Settings, store: ObjectStore, metrics: Metrics, *, serve: bool
) -> Iterator[None]:
    """Hours are sealed meanwhile; a key that cannot be read stops the program before it begins."""
    if not (serve and settings.digest.seal):
        yield
        return
    from cdc_archive.worker.sealing import Sealing

    wiring.signer(settings)
    with Sealing(partial(wiring.sealer, settings, store), metrics).beside():
        yield


def _progress_line(observed: Observed) -> Callable[[], None]:
    def show_progress() -> None:
        snapshot = observed.snapshot
        assert snapshot is not None
        lag = sum(one.lag or 0 for one in snapshot.partitions)
        sys.stderr.write(
            f"\r\x1b[K{observed.taken_count:,} read · {observed.committed_messages:,} archived in "
            f"{observed.commit_count:,} commits · {observed.quarantined_count:,} quarantined · "
            f"lag {lag:,} · {snapshot.buffered_bytes / 1048576:.1f} MiB held · "
            f"{len(snapshot.partitions)} partitions{' · paused' if snapshot.paused else ''}"
        )
        sys.stderr.flush()

    return show_progress
