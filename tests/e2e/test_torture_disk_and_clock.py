"""A disk that fills up under the archive, and a wall clock that is stepped under the worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.real_stack import RealStack
from support.torture.lane import CLIENTS, Lane, go_on, lanes
from support.torture.small_disk import SmallDisk, small_disk
from support.torture.wall_clock import WallClock

from infra.local import __main__ as stack_command
from infra.local import parts
from infra.local.processes import StateFolder

pytestmark = pytest.mark.e2e

DAY = 86_400
ENDPOINT = "CDC_ARCHIVE_STORE__ENDPOINT_URL"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", megabytes=192) as mounted:
        yield mounted


@pytest.fixture
def small_stack(disk: SmallDisk) -> Iterator[RealStack]:
    """An S3 server with all that it has on the small disk."""
    state = StateFolder(disk.path / "server")
    parts.s3(state)
    yield RealStack(state, stack_command.settings(state))
    state.stop("s3")


def test_the_disk_is_full_and_room_is_made(
    stack: RealStack, small_stack: RealStack, disk: SmallDisk, tmp_path: Path
) -> None:
    """The S3 server's and a local archive's: the worker waits, says why, and goes on."""
    in_bucket = {ENDPOINT: small_stack.environment[ENDPOINT]}
    folder = disk.path / "archives"
    folder.mkdir()
    wanted = [Lane(stack, tmp_path, one, s3=small_stack.s3(), **in_bucket) for one in CLIENTS]
    wanted += [Lane(stack, tmp_path, one, root=folder) for one in CLIENTS]
    with lanes(*wanted) as four:
        lives = [lane.start() for lane in four]
        for _ in range(2):
            go_on(*four)
            disk.fill()
            for life in lives:
                life.says("trying again", times=life.log().count("trying again") + 1)
            time.sleep(2)
            assert disk.full
            disk.make_room()
        go_on(*four)
        for life in lives:
            assert life.process.poll() is None, life.log()[-3000:]
        for life in lives[2:]:
            life.says("Make room on the disk")


def test_the_wall_clock_is_stepped_by_a_day(stack: RealStack, tmp_path: Path) -> None:
    """Forward and back: a store that checks signatures is waited for and the clock is named; a
    folder is written to all the while; hours are those of the records.
    """
    clock = WallClock(tmp_path)
    folder = tmp_path / "archives"
    folder.mkdir()
    wanted = [Lane(stack, tmp_path, one, **clock.environment) for one in CLIENTS]
    wanted += [Lane(stack, tmp_path, one, root=folder, **clock.environment) for one in CLIENTS]
    with lanes(*wanted) as four:
        lives = [lane.start() for lane in four]
        go_on(*four)
        for seconds in (DAY, -DAY):
            clock.step(seconds)
            for life in lives[:2]:
                life.says("this machine's clock says", times=life.log().count("'s clock says") + 1)
            go_on(*four[2:])
            clock.step(0)
            go_on(*four)
            for life in lives:
                assert life.process.poll() is None, life.log()[-3000:]
        today = datetime.now(UTC).date()
        for lane in four[2:]:
            told = {commit["committed_at"][:10] for commit in lane.commits()}
            assert told >= {str(today + timedelta(days=n)) for n in (-1, 0, 1)}
