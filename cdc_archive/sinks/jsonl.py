"""Audit events as JSON lines, and their evidence as JSON lines beside them, in the same order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from cdc_archive.errors import Stop
from cdc_archive.sinks.sink import Line


class JsonLines:
    """See the port. A file appears under its name only when it is complete.

    Args:
        out: the events' file, or an open stream.
        evidence: the file of {id, where from, how far proven}; None: not written.

    Raises:
        Stop: a file cannot be written.
    """

    def __init__(self, out: Path | BinaryIO, evidence: Path | None = None) -> None:
        self._out = _Lines(out)
        self._evidence = None if evidence is None else _Lines(evidence)

    def write(self, line: Line) -> None:
        """See the port."""
        self._out.write(line.event)
        if self._evidence is not None:
            self._evidence.write(line.evidence)

    def close(self) -> None:
        """See the port."""
        if self._evidence is not None:
            self._evidence.close()
        self._out.close()

    def abort(self) -> None:
        """See the port."""
        self._out.abort()
        if self._evidence is not None:
            self._evidence.abort()


class _Lines:
    """Lines of one file. A device or a pipe is written to, never replaced."""

    def __init__(self, out: Path | BinaryIO) -> None:
        self._target: Path | None = None
        self._ours = isinstance(out, Path)
        if not isinstance(out, Path):
            self._file = out
            return
        place = out.resolve()
        if not place.exists() or place.is_file():
            self._target = place
            place = self._temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        try:
            self._file = place.open("wb")
        except OSError as error:
            raise Stop(f"{out} cannot be written: {error.strerror}") from None

    def write(self, line: bytes) -> None:
        self._file.write(line + b"\n")

    def close(self) -> None:
        self._file.flush()
        if self._target is not None:
            os.fsync(self._file.fileno())
            self._temporary.replace(self._target)
        if self._ours:
            self._file.close()

    def abort(self) -> None:
        if self._ours:
            self._file.close()
        if self._target is not None:
            self._temporary.unlink(missing_ok=True)
