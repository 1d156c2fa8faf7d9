"""A wall clock that can be stepped under a running process; its monotonic clock goes on evenly."""

from __future__ import annotations

from pathlib import Path

from infra.local import artifacts


class WallClock:
    """What libfaketime shows to processes started with `environment`.

    Args:
        file: where the offset is kept.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step("+0")
        self.environment = {
            "LD_PRELOAD": str(artifacts.libfaketime()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, offset: str) -> None:
        """Be off by this from now on, in libfaketime's words: `+1d`, `-1d`, `+0`."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(offset + "\n")
        temporary.replace(self._file)
