"""Three workers that come and go under load."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.real_stack import RealStack
from support.torture.lane import CLIENTS, Lane, go_on, lanes
from support.torture.life import stop

pytestmark = pytest.mark.e2e

GOINGS = 6


@pytest.mark.parametrize("assignment", ["cooperative-sticky", "range"])
def test_three_workers_join_and_leave(stack: RealStack, tmp_path: Path, assignment: str) -> None:
    """By TERM and by kill -9, while others take over, while they come back."""
    settings = {
        "CDC_ARCHIVE_KAFKA__ASSIGNMENT": assignment,
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "1",
    }

    def come_and_go(lane: Lane, seed: int) -> None:
        rng = random.Random(seed)
        members = {name: lane.start(name) for name in "abc"}
        for name in "abc":
            members[name].says("partition assigned")
        for n in range(GOINGS):
            name = rng.choice("abc")
            if n % 2:
                stop(members[name])
            else:
                members[name].kill()
            time.sleep(rng.uniform(0, 1.5))
            members[name] = lane.start(name)
            members[name].says("partition assigned")
        go_on(lane)

    both = [Lane(stack, tmp_path, client, partitions=6, **settings) for client in CLIENTS]
    with lanes(*both), ThreadPoolExecutor(2) as pool:
        list(pool.map(come_and_go, both, range(2)))
