"""Seals hours beside the worker, and never holds it up: what fails is told and tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog

from cdc_archive.archive.reader.digests import SealedDigest
from cdc_archive.archive.writer.sealing import Sealer
from cdc_archive.errors import CdcArchiveError
from cdc_archive.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

EVERY_S: Final = 30.0
"""How often it is looked whether an hour is due."""


class Sealing:
    """One thread that seals what is due.

    Args:
        open_sealer: makes the sealer, once the archive is there.
        metrics: what Prometheus reads.
        every_s: how often it looks, seconds.
    """

    def __init__(
        self, open_sealer: Callable[[], Sealer], metrics: Metrics, every_s: float = EVERY_S
    ) -> None:
        self._open = open_sealer
        self._metrics = metrics
        self._every_s = every_s
        self._stop = threading.Event()
        self._sealer: Sealer | None = None

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Seal while the block runs. The thread is not waited for: what it leaves others do."""
        threading.Thread(target=self._run, name="sealing", daemon=True).start()
        try:
            yield
        finally:
            self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(self._every_s)

    def look(self) -> None:
        """Seal what is due now."""
        try:
            if self._sealer is None:
                self._sealer = self._open()
            for sealed in self._sealer.due():
                self._told(sealed)
                if self._stop.is_set():
                    return
            self._stand(self._sealer.last)
        except CdcArchiveError as error:
            self._failed(error.what, error.action)
        except Exception as error:  # noqa: BLE001  # a thread that died in silence would seal no more
            self._failed(f"{type(error).__name__}: {error}", "This is a bug: please report it.")

    def _failed(self, what: str, action: str) -> None:
        self._sealer = None  # what it knows may be what is wrong
        self._metrics.seal_errors.inc()
        _log.error("sealing failed, trying again", error=what, action=action)

    def _told(self, sealed: SealedDigest) -> None:
        digest = sealed.digest
        self._metrics.digests_sealed.inc()
        self._stand(sealed)
        commits = sum(len(chain.commits) for chain in digest.chains)
        key = None if digest.signature is None else digest.signature.key
        _log.info("hour sealed", digest=sealed.key, commits=commits, signed_by=key)

    def _stand(self, last: SealedDigest | None) -> None:
        if last is not None:
            end = datetime.fromisoformat(last.digest.end)
            self._metrics.last_digest.set(end.timestamp())
