"""Threads beside the polling thread hold nothing longer than they must."""

from __future__ import annotations

import time
import weakref

from cdc_archive.worker.background import Background


class Batch:
    """Something large."""

    def commit(self) -> None:
        """Quickly done."""


def test_work_that_is_done_is_let_go() -> None:
    """A thread that waits for more does not hold the last batch: four would be four batches."""
    background = Background(4, "test")
    seen = []
    for _ in range(4):
        batch = Batch()
        seen.append(weakref.ref(batch))
        background.submit(batch.commit).result(5)
        background.run_all([batch.commit])
        del batch
    deadline = time.monotonic() + 5
    while any(one() is not None for one in seen):
        assert time.monotonic() < deadline, "a batch is still held"
        time.sleep(0.01)
