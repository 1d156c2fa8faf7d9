"""What the worker shows of itself is true of now."""

from __future__ import annotations

import time

from prometheus_client import generate_latest

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.telemetry.metrics import Metrics
from cdc_archive.worker.health import PartitionProgress
from cdc_archive.worker.observed import Observed
from cdc_archive.worker.worker import Snapshot

KEPT, LOST = TopicPartition("pg.app.t", 0), TopicPartition("pg.app.t", 1)


def snapshot(*owned: TopicPartition) -> Snapshot:
    return Snapshot([PartitionProgress(one, 7, 7, 200.0) for one in owned], 0, 0, False)


def test_a_partition_that_another_worker_took_over_is_shown_no_more() -> None:
    """Else its last lag and waiting time stand for ever, and an alert on them never ends."""
    metrics = Metrics()
    observed = Observed(metrics, 300)
    observed.stepped(snapshot(KEPT, LOST))
    metrics.event_delay.labels(LOST.topic, "1").set(900)
    observed.stepped(snapshot(KEPT))
    shown = generate_latest(metrics.registry).decode()
    assert 'partition="0",topic="pg.app.t"} 200.0' in shown
    assert 'partition="1"' not in shown


def test_each_turn_of_the_loop_is_timed() -> None:
    """A loop that hangs updates no gauge: only its age tells."""
    metrics = Metrics()
    before = time.time()
    Observed(metrics, 300).stepped(snapshot())
    stepped = metrics.registry.get_sample_value("cdc_archive_last_step_timestamp_seconds")
    assert stepped is not None
    assert before <= stepped <= time.time()


def test_a_loop_that_hangs_is_unhealthy() -> None:
    """Its last snapshot, however sound, says nothing of now."""
    now = 1000.0
    observed = Observed(Metrics(), 300, monotonic=lambda: now)
    assert observed.unhealthy() == []
    observed.stepped(snapshot())
    now += 300
    assert observed.unhealthy() == []
    now += 1
    assert observed.unhealthy() == ["the worker's loop has not turned for 301 s"]
    observed.stepped(snapshot())
    assert observed.unhealthy() == []
