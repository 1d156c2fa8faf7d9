"""A worker holds its budget and 150 MiB, whatever comes: short soaks (bench/) on real servers."""

from __future__ import annotations

import pytest
from support.real_stack import RealStack

from bench.run import MARGIN_BYTES, Soak, Soaked
from bench.scenarios import MIB, SCENARIOS

pytestmark = pytest.mark.e2e

BUDGET = 32 * MIB
CLIENTS = ["kafka-python", "librdkafka"]


def soaked(stack: RealStack, name: str, client: str, backlog_mib: int) -> Soaked:
    """Runs a scenario; fails unless every message was archived once, as it was sent."""
    scenario = SCENARIOS[name]._replace(backlog_bytes=backlog_mib * MIB)
    return Soak(stack.state, scenario, client, BUDGET).run()


@pytest.mark.parametrize("client", CLIENTS)
def test_two_thousand_table_hours_stay_within_bounds(stack: RealStack, client: str) -> None:
    """All of them are open at once; none is closed for its own sake, so that files stay few."""
    done = soaked(stack, "hours", client, 40)
    assert done.peak_rss <= BUDGET + MARGIN_BYTES
    assert max(sample.open_files for sample in done.samples) >= 1_500
    assert done.kept.files <= 500 * done.kept.commits


def test_four_hundred_schemas_stay_within_bounds(stack: RealStack) -> None:
    """One copy of each is held, in the head of its file."""
    done = soaked(stack, "schemas", "librdkafka", 80)
    assert done.peak_rss <= BUDGET + MARGIN_BYTES
    assert max(sample.open_files for sample in done.samples) >= 350


@pytest.mark.parametrize("client", CLIENTS)
def test_large_messages_stay_within_bounds(stack: RealStack, client: str) -> None:
    """64 KiB to 8 MiB: counted by what they weigh, from the broker's answer to the upload."""
    assert soaked(stack, "large", client, 100).peak_rss <= BUDGET + MARGIN_BYTES


@pytest.mark.parametrize("client", CLIENTS)
def test_one_partition_with_a_hundredfold_load_stops_no_other(
    stack: RealStack, client: str
) -> None:
    """Within bounds, and no partition waits for the heavy one to end."""
    done = soaked(stack, "skew", client, 80)
    assert done.peak_rss <= BUDGET + MARGIN_BYTES
    assert done.kept.commits <= 60


@pytest.mark.parametrize("client", CLIENTS)
def test_killed_at_the_height_of_pressure_the_next_worker_stays_within_bounds(
    stack: RealStack, client: str
) -> None:
    """A slow store, reading paused, kill -9: the next one archives the rest, each message once."""
    done = soaked(stack, "crash", client, 64)
    assert any(sample.paused for sample in done.samples)
    assert {sample.worker for sample in done.samples} == {1, 2}
    assert done.peak_rss <= BUDGET + MARGIN_BYTES


def test_a_folder_as_the_store_stays_within_bounds(stack: RealStack) -> None:
    """The same without S3."""
    assert soaked(stack, "file", "kafka-python", 64).peak_rss <= BUDGET + MARGIN_BYTES
