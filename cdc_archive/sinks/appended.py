"""Events at the end of a file of JSON lines: all of them, or the file is as it was."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cdc_archive.errors import Stop
from cdc_archive.sinks.sink import Line


class AppendedLines:
    """See the port. The file is copied, and replaced by the longer copy when all is written.

    So it must be no file that somebody else is writing to: if it changed meanwhile, nothing is
    done.

    Args:
        path: the file; made if it does not exist.

    Raises:
        Stop: it cannot be read or written, or somebody else wrote to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            self._before = self._stamp()
            if self._before is not None:
                shutil.copy2(self._path, self._temporary)
            self._file = self._temporary.open("a+b")
            self._end_the_last_line()
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            raise self._told(error) from None

    def write(self, line: Line) -> None:
        """See the port."""
        try:
            self._file.write(line.event + b"\n")
        except OSError as error:
            raise self._told(error) from None

    def close(self) -> None:
        """See the port."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._stamp() != self._before:
                self._temporary.unlink()
                raise Stop(
                    f"{self._path} was written to by somebody else: nothing was appended",
                    "Name another file, and give both to the next reconcile as --published.",
                )
            self._temporary.replace(self._path)
        except OSError as error:
            raise self._told(error) from None

    def abort(self) -> None:
        """See the port."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _end_the_last_line(self) -> None:
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def _told(self, error: OSError) -> Stop:
        return Stop(
            f"{self._path} cannot be written: {error.strerror}",
            "Make room there, or name another file.",
        )
