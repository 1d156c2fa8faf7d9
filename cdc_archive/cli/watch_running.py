"""Runs a watch: for ever, or once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog

from cdc_archive.cli import running
from cdc_archive.cli.watch_wiring import Standing
from cdc_archive.config.settings import Settings
from cdc_archive.errors import SourceUnreachable
from cdc_archive.telemetry.http import HealthServer
from cdc_archive.watch.condition import Condition

_log = structlog.get_logger(__name__)
_POLL_S: Final = 0.5
_CLOSE_S: Final = 10.0
_STALE: Final = 12
"""So many evaluations late, a watch is not well."""
_NO_END_S: Final = 300.0


class Found(NamedTuple):
    """What one evaluation found.

    `expected`, `published`: events of this run. `waiting`: those that have no counterpart, and are
    not due. `nothing`: there was nothing to compare.
    """

    conditions: list[Condition]
    expected: int
    published: int
    waiting: int
    nothing: bool


def stand(settings: Settings, standing: Standing) -> None:
    """Watch until a signal."""
    watch, notifier, deadman = standing.made.watch, standing.notifier, standing.deadman
    with running.stopped_by_signals() as stop, _served(settings, standing), _opened(standing):
        evaluated = False
        while not stop():
            watch.step(_POLL_S)
            notifier.tell(watch.now_us)
            if watch.is_due:
                notifier.update(watch.evaluate(), watch.now_us)
                evaluated = True
            if watch.commit() and evaluated:
                evaluated = False
                standing.metrics.heartbeat.set(watch.evaluated_s)
                if deadman is not None:
                    deadman.evaluated()
            if deadman is not None:
                deadman.tell(watch.now_us)
            _show(standing)
        notifier.close(watch.now_us, _CLOSE_S)
        watch.commit()
    _log.info("stopped")


def once(standing: Standing) -> Found:
    """Read both sides to their ends of now, wait for what is on its way, evaluate.

    Raises:
        SourceUnreachable: the ends were not reached.
    """
    watch, notifier = standing.made.watch, standing.notifier
    with _opened(standing):
        conditions = _read_and_judge(standing)
        notifier.update(conditions, watch.now_us)
        watch.commit()
        for _ in range(2):  # what is due now, and its answers
            notifier.tell(watch.now_us)
            notifier.close(watch.now_us, _CLOSE_S)
        watch.commit()
    metrics, waiting = standing.metrics, standing.made.items.waiting_count()
    expected, published = metrics.total(metrics.expected), metrics.total(metrics.published)
    known = standing.made.changes.knows_any or published
    return Found(conditions, expected, published, waiting, not (known or conditions))


def _read_and_judge(standing: Standing) -> list[Condition]:
    """What is the matter once all is due that either side held when it was first read to its end:
    traffic goes on meanwhile, and is not waited for.
    """
    watch, heard_s, before = standing.made.watch, time.monotonic(), -1
    until_us: int | None = None
    while True:
        came = watch.step(_POLL_S)
        progress = standing.made.reading.progress
        if progress != before:
            heard_s, before = time.monotonic(), progress
        elif time.monotonic() - heard_s > _NO_END_S:
            raise SourceUnreachable("the topics were not read to their ends: nothing comes")
        watch.look(watch.now_us)
        if not came and standing.made.reading.is_at_end:
            watch.drain()
            watch.look(watch.now_us)
        if not watch.read_us:
            continue
        conditions = watch.evaluate()
        if until_us is None:
            until_us = watch.waits_until_us or 0
        if watch.read_us >= until_us:
            return conditions


@contextmanager
def _opened(standing: Standing) -> Iterator[None]:
    standing.made.reading.open()
    try:
        yield
    finally:
        standing.made.reading.close()


@contextmanager
def _served(settings: Settings, standing: Standing) -> Iterator[None]:
    given, watch = settings.watch, standing.made.watch
    if given.http_port < 0:
        yield
        return

    def unwell() -> list[str]:
        late_s = time.time() - watch.evaluated_s
        if late_s <= max(60.0, _STALE * given.evaluate_seconds):
            return []
        return [f"the last whole evaluation was {late_s:.0f} s ago"]

    registry = standing.metrics.registry
    server = HealthServer(given.http_host, given.http_port, registry, unwell, unwell, "watch")
    with running.listening(server, given.http_host):
        yield


def _show(standing: Standing) -> None:
    metrics, watch = standing.metrics, standing.made.watch
    metrics.state_age.set(max(0.0, time.time() - watch.saved_s))
    metrics.lags(standing.made.reading.lags())
