"""Runs the real `cdc-archive worker` and kills it at one point of the commit order.

`python -m support.torture.deadly_worker POINT NTH SIGNAL`: at the NTH time that POINT is reached,
the process sends itself SIGNAL: KILL, or STOP, which makes it a zombie that wakes in the middle of
that step.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import OpenFile
from cdc_archive.cli.main import main
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.storage.s3 import S3Store
from cdc_archive.worker.observed import Observed
from cdc_archive.worker.owned import Owned

POINTS = {
    # point: (class, method, an object's key must begin so, before or after the call)
    "1 sealed": (Owned, "seal", "", "after"),
    "2 before its files are closed": (Committer, "commit", "", "before"),
    "2 its files are closed": (OpenFile, "finish", "", "after"),
    "3 before the PUT of a data file": (S3Store, "create", "changes/", "before"),
    "3 after the PUT of a data file": (S3Store, "create", "changes/", "after"),
    "4 before the PUT of the commit": (S3Store, "create", "commits/", "before"),
    "4 after the PUT of the commit": (S3Store, "create", "commits/", "after"),
    "5 before the offset is told": ((KafkaSource, LibrdkafkaSource), "commit", "", "before"),
    "5 after the offset is told": ((KafkaSource, LibrdkafkaSource), "commit", "", "after"),
    "6 released": (Observed, "committed", "", "before"),
}


def deadly(point: str, nth: int, number: signal.Signals) -> None:
    """Arm one point."""
    owners, method, prefix, when = POINTS[point]
    left = nth

    def reached(arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if prefix and not str(arguments[1]).startswith(prefix):
            return
        left -= 1
        if left == 0:
            sys.stdout.write(f"reached: {point}\n")
            sys.stdout.flush()
            os.kill(os.getpid(), number)

    def armed(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if when == "before":
                reached(arguments)
            answer = real(*arguments, **named)
            if when == "after":
                reached(arguments)
            return answer

        return call

    for owner in owners if isinstance(owners, tuple) else (owners,):
        setattr(owner, method, armed(getattr(owner, method)))


if __name__ == "__main__":
    deadly(sys.argv[1], int(sys.argv[2]), signal.Signals[f"SIG{sys.argv[3]}"])
    main(["worker"])
