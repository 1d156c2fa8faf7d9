"""A disk of a few megabytes that can be filled and emptied."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave no byte free."""
        descriptor = os.open(self.path / "ballast", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            for size in (65536, 4096, 1):
                while True:
                    try:
                        os.write(descriptor, b"\0" * size)
                    except OSError:
                        break
        finally:
            os.close(descriptor)

    @property
    def full(self) -> bool:
        """Whether nothing fits any more."""
        found = os.statvfs(self.path)
        return found.f_bavail == 0

    def make_room(self) -> None:
        """Empty again."""
        (self.path / "ballast").unlink()


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount it; skips the test, saying so, where mounting is not allowed."""
    path.mkdir()
    how = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(path)]
    done = subprocess.run(how, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
