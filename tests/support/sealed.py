"""Archives whose commits were made at chosen times, and what seals their hours."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.sealing import SOFT_BYTES, Sealer
from cdc_archive.signing import key_file
from cdc_archive.signing.signer import Signer
from cdc_archive.source.message import Message
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.worker.limits import Limits
from support.build import change, message
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

BEGUN = 1771516800.0
"""2026-02-19T16:00:00Z, when the archive is made."""
HOUR = 3600.0
GRACE = 120.0


def key() -> key_file.KeyFile:
    """A new signing key."""
    with tempfile.TemporaryDirectory() as folder:
        key_file.make(Path(folder) / "key.pem")
        return key_file.KeyFile(Path(folder) / "key.pem")


class Keeper:
    """An archive that grows when told to, at the time that it is told.

    Attributes:
        now: Unix seconds, the clock of all that is done.
    """

    def __init__(self, store: ObjectStore, signer: Signer | None = None) -> None:
        self.store, self.signer, self.now = store, signer, BEGUN
        self._offsets: dict[tuple[str, int], int] = {}
        self._log: list[Message] = []
        self._grow([])

    def commit(self, topic: str = "pg.app.api_key", partition: int = 0, count: int = 3) -> None:
        """One commit of so many changes."""
        start = self._offsets.get((topic, partition), 0)
        where = {"topic": topic, "partition": partition}
        rows = range(start, start + count)
        new = [message(change(after={"id": n}), offset=n, **where) for n in rows]
        self._offsets[topic, partition] = start + count
        self._log += new
        self._grow(self._log)

    def _grow(self, log: list[Message]) -> None:
        Workshop(
            SimulatedSource(log), self.store, Limits(commit_records=10_000), wall=lambda: self.now
        ).run()

    def sealer(self, signer: Signer | None = None, soft_bytes: int = SOFT_BYTES) -> Sealer:
        """Another worker's."""
        info = ArchiveReader(self.store).info
        by = Writer("test", "0", "w")
        key = signer or self.signer
        return Sealer(self.store, info, by, lambda: self.now, key, GRACE, soft_bytes)
