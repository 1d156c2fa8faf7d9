"""kill -9 at random moments and at each numbered step; a zombie that wakes in the middle of one."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.real_stack import RealStack
from support.torture.lane import Lane, lanes

pytestmark = pytest.mark.e2e

CLIENTS = ("kafka-python", "librdkafka")
KILLS = 52


def test_fifty_kills_at_random_moments(stack: RealStack, tmp_path: Path) -> None:
    """Lives of 0.3 s and more after an assignment, under load: every message is there, once."""
    each = KILLS // 4
    kills = []

    def killed_often(lane: Lane, seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(each):
            life = lane.start()
            life.says("partition assigned")
            time.sleep(0.3 + rng.expovariate(2))
            life.kill()
            kills.append(lane.client)

    # A static member comes back in place of the dead one, without waiting for its session to end.
    member = {"CDC_ARCHIVE_KAFKA__GROUP_INSTANCE_ID": "a"}
    four = [Lane(stack, tmp_path, client, seed=n, **member) for n, client in enumerate(CLIENTS * 2)]
    with lanes(*four), ThreadPoolExecutor(4) as pool:
        list(pool.map(killed_often, four, range(4)))
        for lane in four:
            lane.start()
    assert len(kills) == KILLS


