"""A published log in files of JSON lines, plain or gzip, or on standard input."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Final, cast

from cdc_archive.archive.reader.window import Window
from cdc_archive.errors import SourceInvalid
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.shape import Shape

LONGEST_LINE: Final = 16 << 20
_GZIP: Final = b"\x1f\x8b"


class FileLog:
    """See the port, published.py.

    Args:
        files: paths, or an open stream of bytes; read one after the other.
        shape: reads events.
    """

    def __init__(self, files: Sequence[Path | IO[bytes]], shape: Shape) -> None:
        self._files = files
        self._shape = shape

    def events(self, window: Window) -> Iterator[Published | Unreadable]:
        """See the port. All are read: a file does not tell what times it holds."""
        for one in self._files:
            name = str(one) if isinstance(one, Path) else "-"
            try:
                with one.open("rb") if isinstance(one, Path) else one as stream:
                    yield from events_of(stream, name, self._shape)
            except (OSError, EOFError, zlib.error) as error:
                raise SourceInvalid(
                    f"{name} cannot be read to its end: {error}",
                    "Give a file of JSON lines, plain or gzip, that nobody cut off.",
                ) from None


def events_of(stream: IO[bytes], name: str, shape: Shape) -> Iterator[Published | Unreadable]:
    """The events of one file, plain or gzip; `name` tells its place.

    Raises:
        OSError, EOFError, zlib.error: it cannot be read to its end.
    """
    buffered = cast("BufferedReader", stream if hasattr(stream, "peek") else BufferedReader(stream))
    lines: IO[bytes] = buffered
    if buffered.peek(2)[:2] == _GZIP:
        lines = cast("IO[bytes]", gzip.GzipFile(fileobj=buffered))
    number, line = 0, lines.readline(LONGEST_LINE)
    while line:
        number += 1
        where = f"{name}:{number}"
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = lines.readline(LONGEST_LINE)
            yield Unreadable(where, f"a line of more than {LONGEST_LINE:,} bytes")
        elif line.strip():
            yield shape.read(line, where)
        line = lines.readline(LONGEST_LINE)
