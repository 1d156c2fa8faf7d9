"""Looks beside the loop."""

from __future__ import annotations

import threading

from cdc_archive.watch.looks import Looks


def test_a_look_that_fails_or_hangs_holds_up_no_other() -> None:
    """Each has its own thread, and is taken again after a failure."""
    failed, seen, hangs = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def fails() -> None:
        failed.release()
        raise OSError("by itself")

    beside = Looks([hangs.wait, fails, seen.release], 0.01)
    try:
        for _ in range(3):
            assert failed.acquire(timeout=10)
            assert seen.acquire(timeout=10)
    finally:
        beside.close()
        hangs.set()
