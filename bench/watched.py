"""A worker process, and what it holds over time: read from /proc and from its own metrics."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_METRIC = re.compile(r"^cdc_archive_(\w+?)(?:_total)?(?:\{.*\})? ([0-9.e+-]+)$", re.MULTILINE)
_KIB = 1024


class Sample(NamedTuple):
    """One reading; sizes in bytes, `at` in seconds since the soak began, `cpu` in seconds."""

    at: float
    worker: int
    rss: int
    peak: int
    buffered: int
    open_files: int
    paused: int
    lag: int
    assigned: int
    messages: int
    committed: int
    cpu: float


class Watched:
    """`cdc-archive worker` as a process.

    Args:
        environment: its settings.
        log: where its output goes.
        number: of the worker in its soak.
        began: monotonic seconds, when the soak began.
    """

    def __init__(
        self, environment: Mapping[str, str], log: Path, number: int, began: float
    ) -> None:
        self.number, self._began = number, began
        self._port = free_port()
        settings = {"CDC_ARCHIVE_WORKER__HTTP_PORT": str(self._port)}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cdc_archive", "worker"],
                env=os.environ | dict(environment) | settings,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def sample(self) -> Sample | None:
        """How it is now; None if it does not answer yet."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}/metrics", timeout=5
            ) as http:
                text = http.read().decode()
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        told: Counter[str] = Counter()
        for name, value in _METRIC.findall(text):
            told[name] += int(float(value))
        return Sample(
            time.monotonic() - self._began,
            self.number,
            _kib(status, "VmRSS"),
            _kib(status, "VmHWM"),
            told["buffered_bytes"],
            told["open_files"],
            told["paused"],
            told["lag"],
            told["assigned_partitions"],
            told["messages"],
            told["committed_messages"],
            (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"),
        )

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def end(self) -> None:
        """Whatever it takes, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                self.kill()


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _kib(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * _KIB if found else 0
