"""Jobs in processes: their errors come back as they were, and none outlives the first process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from support import jobs

from cdc_archive.errors import Stop
from cdc_archive.replay import processes

TESTS = Path(__file__).parents[1]


def wait_until(done: object, seconds: float = 20) -> None:
    """Look at it until it is so."""
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_each_job_is_done_once(tmp_path: Path) -> None:
    """In this process if it is the only one, else in others."""
    for count, processes_, others in ((3, 1, False), (1, 4, False), (3, 2, True)):
        folder = tmp_path / f"{count}{processes_}"
        folder.mkdir()
        processes.run_all(partial(jobs.write_down, folder), count, processes_)
        pids = {int(path.read_text()) for path in folder.iterdir()}
        assert len(list(folder.iterdir())) == count
        assert (os.getpid() not in pids) == others
        assert len(pids) <= processes_


@pytest.mark.parametrize("which", [1, 2])
def test_an_error_comes_back_as_itself_and_ends_the_other_jobs(which: int) -> None:
    """At once, with its exit code and its advice; not when the longest job is done."""
    begun = time.monotonic()
    with pytest.raises(type(jobs.ERRORS[which])) as raised:
        processes.run_all(partial(jobs.fail, which), 2, 2)
    assert str(raised.value) == str(jobs.ERRORS[which])
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("error", jobs.ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_can_be_sent(error: Stop) -> None:
    """Whatever its class is made from."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (vars(again), str(again)) == (vars(error), str(error))


def test_a_process_that_was_killed_is_told() -> None:
    """In one message with what to do."""
    with pytest.raises(Stop, match="ended from outside") as raised:
        processes.run_all(jobs.die, 2, 2)
    assert "--resume" in raised.value.action


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_job_outlives_the_first_process(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C goes to all of them and is told by none; a kill -9 goes to the first alone."""
    script = (
        "import signal; from functools import partial; from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # else ignored in background
        "from support import jobs; from cdc_archive.replay import processes\n"
        f"processes.run_all(partial(jobs.wait_long, Path({str(tmp_path)!r})), 2, 2)"
    )
    environment = os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    first = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until(lambda: sum(path.stat().st_size > 0 for path in tmp_path.iterdir()) == 2)
    others = [int(path.read_text()) for path in tmp_path.iterdir()]
    if number == signal.SIGINT:
        os.killpg(first.pid, number)
    else:
        first.kill()
    said = first.communicate(timeout=20)[1].decode()
    wait_until(lambda: not any(map(alive, others)))
    assert said.count("Traceback") == (number == signal.SIGINT)
