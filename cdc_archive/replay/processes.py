"""Runs numbered jobs, each in a process of its own; one that fails ends them all.

A job may be ended at any moment: what it has done so far lies in the run's folder.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from cdc_archive.errors import Stop


def run_all(work: Callable[[int], None], count: int, processes: int) -> None:
    """Do jobs 0 to `count` - 1, at most `processes` at a time; in this process if one is enough.

    Args:
        work: does a job; it goes to other processes, so it must be one that can be pickled.
        count: how many jobs.
        processes: how many at a time.

    Raises:
        Stop: a process was ended from outside.
    """
    if processes == 1 or count == 1:
        for number in range(count):
            work(number)
        return
    spawned, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    with ProcessPoolExecutor(min(processes, count), spawned, _begin) as pool:
        try:
            jobs = [pool.submit(work, number) for number in range(count)]
            for one in wait(jobs, return_when=FIRST_EXCEPTION).done:
                one.result()
        except BaseException as error:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.terminate()
            if isinstance(error, BrokenProcessPool):
                raise Stop(
                    "a job's process was ended from outside, maybe because memory was short",
                    "Go on with --resume; with fewer --jobs a run needs less memory.",
                ) from None
            raise


def _begin() -> None:
    """Ctrl-C is for the first process, which ends the others; they end as well when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
    os._exit(1)
