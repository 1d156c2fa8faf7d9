"""Jobs for processes of their own: a function here can be found by each of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cdc_archive.errors import ArchiveDamaged, ObjectTooLarge, Stop, StreamBroken

ERRORS = [
    Stop("what", "do this"),
    ArchiveDamaged("a file", "restore it"),
    ObjectTooLarge("a file", 9, 3),
    StreamBroken("anew", "pg", 7),
]


def write_down(folder: Path, number: int) -> None:
    """Tells that it ran, and where."""
    (folder / f"{number}").write_text(str(os.getpid()))


def fail(which: int, number: int) -> None:
    """The second job fails; the first would take a minute."""
    if number == 0:
        time.sleep(60)
    raise ERRORS[which]


def die(number: int) -> None:
    """As the kernel does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL) if number else time.sleep(60)


def wait_long(folder: Path, number: int) -> None:
    """Tells that it began, and does not end."""
    write_down(folder, number)
    time.sleep(60)
