"""Audit events as JSON lines, and their evidence as JSON lines beside them, in the same order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        try:
            self._evidence = None if evidence is None else _Lines(evidence)
        except Stop:
            self._out.abort()
            raise

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
        self._name = str(out) if isinstance(out, Path) else "the output"
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
            raise Stop(f"{self._name} cannot be written: {error.strerror}") from None

    def write(self, line: bytes) -> None:
        with self._told():
            self._file.write(line + b"\n")

    def close(self) -> None:
        with self._told():
            self._file.flush()
            if self._target is not None:
                os.fsync(self._file.fileno())
                self._temporary.replace(self._target)
            if self._ours:
                self._file.close()

    def abort(self) -> None:
        if self._ours:
            with suppress(OSError):  # of a full disk: what it holds is not wanted
                self._file.close()
        if self._target is not None:
            self._temporary.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise  # whoever reads wants no more: no fault
        except OSError as error:
            raise Stop(
                f"{self._name} cannot be written: {error.strerror}",
                "Make room there, or name another file.",
            ) from None
