"""Whether any broker of a bootstrap list can be reached, and why a client could not get in."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cdc_archive.errors import SourceUnreachable


def require_reachable(servers: Sequence[str], timeout_s: float) -> None:
    """Open and close one TCP connection to the first server that takes it.

    Raises:
        SourceUnreachable: none did within the time; says what became of each.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        failures = []
        for server in servers:
            host, _, port = server.rpartition(":")
            try:
                with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s):
                    return
            except ValueError:
                failures.append(f"{server}: not of the form host:port")
            except OSError as error:
                failures.append(f"{server}: {error.strerror or error}")
        if time.monotonic() + 1 > deadline:
            raise SourceUnreachable(f"no Kafka broker can be reached ({'; '.join(failures)})")
        time.sleep(0.5)


def within(seconds: float, attempt: Callable[[], object]) -> bool:
    """Whether the attempt came to its end in time; raises what it raised.

    For kafka-python joins an attempt to connect that is under way and may have no deadline.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            attempt()
        except BaseException as error:  # noqa: BLE001  # raised below, by the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, name="attempt", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    return not thread.is_alive()


@contextmanager
def overheard(logger: str) -> Iterator[list[BaseException]]:
    """The exceptions that a client only logs while it tries to connect; they are not logged then.

    Whatever the log's level is: the one message at the end tells the reason.
    """
    heard: list[BaseException] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            arguments = record.args if isinstance(record.args, tuple) else ()
            heard.extend(one for one in arguments if isinstance(one, BaseException))

    ear = Ear(level=logging.WARNING)
    log = logging.getLogger(logger)
    before = log.level, log.propagate
    log.addHandler(ear)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        yield heard
    finally:
        log.removeHandler(ear)
        log.level, log.propagate = before
