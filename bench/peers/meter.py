"""What a process takes that does not tell how far it is: told by its CPU and by what it stored."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.stack import cpu_seconds, peak_bytes
from bench.subjects import Cost

_EVERY_S, _BUSY, _PATIENCE_S = 0.5, 0.1, 1800
_QUIET_SAMPLES = 4


class Meter:
    """Measures from now on.

    Args:
        pid: of the process, children included.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start_up = self._cpu = cpu_seconds(pid)
        self._at = time.monotonic()
        self._busy_s = 0.0
        self._peak = 0
        self._quiet = 0

    def sample(self) -> bool:
        """Wait a little; whether the process has had nothing to do for some time."""
        time.sleep(_EVERY_S)
        now, cpu = time.monotonic(), cpu_seconds(self._pid)
        if cpu - self._cpu > _BUSY * (now - self._at):
            self._busy_s += now - self._at
            self._quiet = 0
        else:
            self._quiet += 1
        self._cpu, self._at = cpu, now
        self._peak = max(self._peak, peak_bytes(self._pid))
        return self._quiet >= _QUIET_SAMPLES

    def until(self, done: Callable[[], bool]) -> Cost:
        """Watch until it has nothing to do and `done` says so.

        `wall_s` leaves out the times in which it had nothing to do: it waited for its next commit.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while not (self.sample() and done()):
            assert time.monotonic() < deadline, "it does not come to an end"
        return Cost(self._busy_s, self._cpu - self._start_up, self._start_up, self._peak)
