"""Hours are sealed beside the worker; what fails is counted, told and tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.sealed import BEGUN, GRACE, HOUR, Keeper, key

from cdc_archive.archive.writer.sealing import Sealer
from cdc_archive.errors import SigningFailed
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.telemetry.metrics import Metrics
from cdc_archive.worker.sealing import Sealing


@pytest.fixture
def keeper() -> Keeper:
    made = Keeper(MemoryStore(), key())
    made.commit()
    made.now = BEGUN + 2 * HOUR + GRACE
    return made


def value(metrics: Metrics, name: str) -> Any:
    return metrics.registry.get_sample_value(f"cdc_archive_{name}")


def test_what_is_due_is_sealed_counted_and_its_end_is_told(keeper: Keeper) -> None:
    metrics = Metrics()
    sealing = Sealing(keeper.sealer, metrics)
    sealing.look()
    sealing.look()
    assert value(metrics, "digests_sealed_total") == 2
    assert value(metrics, "digest_seal_errors_total") == 0
    assert value(metrics, "last_digest_timestamp_seconds") == BEGUN + 2 * HOUR


def test_hours_that_another_sealed_move_the_end_too(keeper: Keeper) -> None:
    assert len([*keeper.sealer().due()]) == 2
    metrics = Metrics()
    Sealing(keeper.sealer, metrics).look()
    assert value(metrics, "digests_sealed_total") == 0
    assert value(metrics, "last_digest_timestamp_seconds") == BEGUN + 2 * HOUR


@pytest.mark.parametrize("error", [SigningFailed("KMS refused"), RuntimeError("a bug")])
def test_a_failure_is_counted_and_tried_again(keeper: Keeper, error: Exception) -> None:
    metrics, failures = Metrics(), [error]

    def opened() -> Sealer:
        if failures:
            raise failures.pop()
        return keeper.sealer()

    sealing = Sealing(opened, metrics)
    sealing.look()
    assert value(metrics, "digest_seal_errors_total") == 1
    assert value(metrics, "digests_sealed_total") == 0
    sealing.look()
    assert value(metrics, "digests_sealed_total") == 2


def test_it_runs_beside_and_holds_nobody_up(keeper: Keeper) -> None:
    """A store that hangs keeps the thread, not the one who leaves."""
    begun, forever = threading.Event(), threading.Event()

    def hangs() -> Sealer:
        begun.set()
        forever.wait()
        raise AssertionError

    opened: Callable[[], Sealer] = hangs
    with Sealing(opened, Metrics(), 0.01).beside():
        assert begun.wait(10)
    forever.set()
