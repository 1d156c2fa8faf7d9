"""One life of a worker process: what it said, how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest


class Life:
    """A process of `cdc-archive worker`, and its log.

    Args:
        command: what to run.
        environment: all of it.
        log: appended to; only what this life adds to it is looked at.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    def log(self) -> str:
        """What it said."""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def says(self, text: str, seconds: float = 60, times: int = 1) -> None:
        """Wait until it has said something (so many times)."""
        deadline = time.monotonic() + seconds
        while self.log().count(text) < times:
            if self.process.poll() is not None or time.monotonic() > deadline:
                code = self.process.returncode
                pytest.fail(f"no {text!r} within {seconds} s, ended: {code}\n{self.log()[-3000:]}")
            time.sleep(0.05)

    def refused(self, code: int, seconds: float = 60) -> bool:
        """Whether it ended by itself, rather than be assigned partitions.

        If it did, then with this exit code and one message, not a stack trace.
        """
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if "partition assigned" in self.log():
                return False
            assert time.monotonic() < deadline, self.log()[-3000:]
            time.sleep(0.05)
        told = self.log()
        assert self.process.returncode == code, told[-3000:]
        assert told.count("error:") == 1, told[-3000:]
        assert "Traceback" not in told
        return True

    def kill(self) -> None:
        """kill -9. It must be alive: a worker that ended by itself is a finding."""
        assert self.process.poll() is None, self.log()[-3000:]
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL

    def freeze(self) -> None:
        """Stop it where it stands."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, without knowing that time has passed."""
        self.process.send_signal(signal.SIGCONT)

    @property
    def frozen(self) -> bool:
        """Whether it is stopped (also by itself)."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def end(self) -> None:
        """Make sure that nothing is left behind, whatever the test came to."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def stop(*lives: Life) -> None:
    """SIGTERM: each must commit what it read and end with 0."""
    for life in lives:
        life.process.send_signal(signal.SIGTERM)
    for life in lives:
        code = life.process.wait(60)
        assert code == 0, f"exit code {code}\n{life.log()[-4000:]}"
