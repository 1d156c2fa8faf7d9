"""Audit events as JSON lines, and their evidence as JSON lines beside them, in the same order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from cdc_archive.audit.build import AuditEvent
from cdc_archive.decode.images import Row
from cdc_archive.errors import Stop

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


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

    def write(self, event: AuditEvent) -> None:
        """See the port."""
        self._out.write(_line(event.event))
        if self._evidence is not None:
            self._evidence.write(_line(event.evidence))

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


def _line(value: Row) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:  # a lone surrogate, that JSON can escape and UTF-8 cannot hold
        return _encode(_escaped(value))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return msgspec.Raw(json.dumps(value).encode())
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        names = (name.encode("utf-8", "backslashreplace").decode() for name in value)
        return dict(zip(names, map(_escaped, value.values()), strict=True))
    return value


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
