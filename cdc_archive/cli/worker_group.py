"""Several members of the consumer group from one command: a process each, as one core each.

This process only watches: it passes on what it is told to stop by, and when one member ends, the
others are told to stop, so that whoever restarts the command has all of them back.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cdc_archive.config.load import Loaded

_LOOK_S: Final = 0.1
_SIGNALLED: Final = 128


def run(config: Path | None, processes: int) -> int:
    """Run so many members until told to stop, or until one ends.

    Returns:
        the exit code of the first that failed, of those that ended unasked if any did; 0 if all
        stopped as they were told.
    """
    command = [sys.executable, "-m", "cdc_archive"]
    command += [] if config is None else ["--config", str(config)]
    members: list[subprocess.Popen[bytes]] = []
    with _passed_on(members):
        members.extend(
            _begun([*command, "worker", "--member", str(number)]) for number in range(processes)
        )
        while all(member.poll() is None for member in members):
            time.sleep(_LOOK_S)
        unasked = [member.returncode for member in members if member.returncode is not None]
        _tell(members, signal.SIGTERM)
        codes = [*unasked, *(member.wait() for member in members)]
    return next((code if code > 0 else _SIGNALLED - code for code in codes if code), 0)


def _begun(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """In a process group of its own: a key pressed on the terminal reaches us, who pass it on."""
    return subprocess.Popen(command, process_group=0)  # noqa: S603  # this very program


def member(loaded: Loaded, number: int) -> Loaded:
    """The settings of one member: a name, a static membership and an HTTP port of its own."""
    kafka, worker = loaded.settings.kafka, loaded.settings.worker
    assert kafka is not None
    names = {
        name: f"{given}-{number}"
        for name in ("client_id", "group_instance_id")
        if (given := getattr(kafka, name)) is not None
    }
    port = worker.http_port + number if worker.http_port > 0 else worker.http_port
    settings = loaded.settings.model_copy(
        update={
            "kafka": kafka.model_copy(update=names),
            "worker": worker.model_copy(update={"http_port": port}),
        }
    )
    return Loaded(settings, loaded.origins, loaded.file)


def _tell(members: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for one in members:
        if one.poll() is None:
            one.send_signal(number)


@contextmanager
def _passed_on(members: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    def asked(number: int, _frame: Any) -> None:
        _tell(members, number)

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
