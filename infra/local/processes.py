"""Processes that outlive the command that started them: started, found again, stopped by pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local.artifacts import StackError


class StateFolder:
    """Ports, pids, logs and data of one stack.

    Args:
        root: the folder; made if it is missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._file = self.root / "state.json"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def folder(self, name: str) -> Path:
        """A folder of this stack."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def port(self, name: str) -> int:
        """A free port of the loopback, the same each time it is asked for."""
        state = self._read()
        ports = state.setdefault("ports", {})
        while name not in ports:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                found = free.getsockname()[1]
            if found not in ports.values():
                ports[name] = found
                self._write(state)
        return int(ports[name])

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        seconds: float = 90,
    ) -> None:
        """Start a process and wait until it is ready; nothing is done if it runs.

        Raises:
            StackError: it ended, or was not ready in time; with the end of its log.
        """
        if self.running(name) is not None:
            return
        log = self.folder("logs") / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | dict(environment or {}),
                start_new_session=True,
            )
        self._children[name] = process
        state = self._read()
        state.setdefault("processes", {})[name] = [process.pid, _started(process.pid)]
        self._write(state)
        deadline = time.monotonic() + seconds
        while not _quietly(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                ended = process.poll() is not None
                what = "ended" if ended else f"is not ready after {seconds:g} s"
                self.stop(name)
                raise StackError(f"{name} {what}\n{tail(log)}")
            time.sleep(0.1)

    def running(self, name: str) -> int | None:
        """The pid of a process of ours that runs; another process with that pid is not ours."""
        known = self._read().get("processes", {}).get(name)
        if known is None or _started(known[0]) != known[1]:
            return None
        return int(known[0])

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        pid = self.running(name)
        if pid is not None:
            os.killpg(pid, number)

    def stop(self, name: str, seconds: float = 20) -> None:
        """TERM, and KILL if it does not end in time."""
        pid = self.running(name)
        if pid is None:
            return
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
            deadline = time.monotonic() + patience
            while self.running(name) is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.running(name) is None:
                self._reap(name)
                return
        raise StackError(f"{name} (pid {pid}) cannot be stopped")

    def kill(self, name: str) -> None:
        """KILL, without a chance to put anything in order, and wait until it is gone."""
        self.signal(name, signal.SIGKILL)
        while self.running(name) is not None:
            time.sleep(0.01)
        self._reap(name)

    def _reap(self, name: str) -> None:
        child = self._children.pop(name, None)
        if child is not None:
            child.wait()

    def _read(self) -> dict[str, Any]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def _write(self, state: dict[str, Any]) -> None:
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps(state, indent=1))
        temporary.replace(self._file)


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def answers(port: int) -> bool:
    """Whether something listens on a port of the loopback."""
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _quietly(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:
        return False


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
