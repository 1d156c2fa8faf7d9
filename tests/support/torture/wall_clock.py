"""A wall clock that can be stepped under a running process; its monotonic clock goes on evenly."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class WallClock:
    """What processes started with `environment` take for the time.

    Args:
        folder: where its library is built (by the C compiler that Go needs too) and its state kept.
    """

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "wall_clock.so", folder / "wall_clock"
        how = ("-O2", "-Wall", "-Werror", "-shared", "-fPIC")
        subprocess.run(["cc", *how, "-o", str(library), str(SOURCE)], check=True)
        self.step(0)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}

    def step(self, seconds: int) -> None:
        """Be off by this from now on."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("=q", seconds))
