"""kill -9 at random moments and at each numbered step; a zombie that wakes in the middle of one."""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.real_stack import RealStack, wait_until
from support.torture.deadly_worker import POINTS
from support.torture.lane import CLIENTS, STATIC, Lane, go_on, lanes
from support.torture.life import Life, stop

pytestmark = pytest.mark.e2e


KILLS = 52


def deadly(point: str, nth: int, number: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "support.torture.deadly_worker", point, str(nth), number)


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

    settings = STATIC | {"CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.2"}
    four = [
        Lane(stack, tmp_path, client, seed=n, **settings) for n, client in enumerate(CLIENTS * 2)
    ]
    with lanes(*four), ThreadPoolExecutor(4) as pool:
        list(pool.map(killed_often, four, range(4)))
        for lane in four:
            lane.start()
    assert len(kills) == KILLS


def test_a_kill_at_each_numbered_step(stack: RealStack, tmp_path: Path) -> None:
    """Each life ends by its own kill -9, at one point of the commit order, under load."""

    def killed_at_each(lane: Lane) -> None:
        for n, point in enumerate(POINTS):
            life = lane.start(command=deadly(point, n % 3 + 1, "KILL"))
            assert life.process.wait(60) == -9, life.log()[-3000:]
            assert life.log().endswith(f"reached: {point}\n")

    both = [Lane(stack, tmp_path, client, **STATIC) for client in CLIENTS]
    with lanes(*both), ThreadPoolExecutor(2) as pool:
        list(pool.map(killed_at_each, both))
        for lane in both:
            lane.start()


def test_a_zombie_overwrites_nothing_and_works_on(stack: RealStack, tmp_path: Path) -> None:
    """Frozen before its PUT of a commit, past its session; another takes over; then it wakes."""
    four = [
        Lane(stack, tmp_path, client, CDC_ARCHIVE_KAFKA__ASSIGNMENT=assignment)
        for client in CLIENTS
        for assignment in ("cooperative-sticky", "range")
    ]
    with lanes(*four):
        command = deadly("4 before the PUT of the commit", 5, "STOP")
        zombies = [lane.start("zombie", command) for lane in four]
        for zombie in zombies:
            wait_until(lambda zombie=zombie: zombie.frozen, "the zombie to stop itself")
        others = [lane.start("other") for lane in four]
        for other in others:
            other.says("partition assigned", times=3)
        go_on(*four)
        for zombie in zombies:
            zombie.thaw()
        for zombie in zombies:
            _says_one_of(zombie, "fenced", "partition lost")
        stop(*others)
        go_on(*four)


def _says_one_of(life: Life, *texts: str) -> None:
    wait_until(lambda: any(text in life.log() for text in texts), f"one of {texts}")
