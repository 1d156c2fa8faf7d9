"""A run's files on disk: what does not fit into memory, and what a broken run goes on from.

SQLite, of Python's own library: state, events and progress of a job are written in one transaction,
so that a kill at any moment leaves a place to go on from.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from cdc_archive.errors import Stop

CACHE_KIB: Final = 16_384
"""Memory that SQLite takes for pages of a file, if no more is asked for."""
STATES_CACHE_KIB: Final = 65_536
"""The same for the rows of a job, which are asked for in any order."""


def open_database(
    path: Path, *, alone: bool = False, cache_kib: int = CACHE_KIB
) -> sqlite3.Connection:
    """Open a database of a run, made if need be.

    Args:
        path: its file.
        cache_kib: memory for its pages.
        alone: refuse if another process has it open so.

    Raises:
        Stop: the file cannot be opened, or another run has it.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=5)
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
        else:
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA cache_size = -{cache_kib}")
        if alone:
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Stop(
                f"another replay works in {path.parent}",
                "Let it end, or give this one another --work-dir.",
            ) from None
        raise Stop(f"{path} cannot be opened: {error}") from None
    except sqlite3.DatabaseError as error:
        raise Stop(f"{path} is not a file of a replay: {error}", "Remove the folder.") from None
    return database


class Workspace:
    """A folder for one run.

    Args:
        folder: made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Stop(f"{folder} cannot be made: {error.strerror}") from None

    @property
    def lock(self) -> Path:
        """Held while a run is at work."""
        return self.folder / "lock.sqlite"

    @property
    def plan(self) -> Path:
        """What the run reads."""
        return self.folder / "plan.sqlite"

    @property
    def beside(self) -> Path:
        """What stands beside the changes: actors by transaction, rows of look-ups."""
        return self.folder / "beside.sqlite"

    def job(self, number: int) -> Path:
        """State, events and progress of a job."""
        return self.folder / f"job-{number}.sqlite"

    def clear(self) -> None:
        """Remove all that an earlier run left."""
        for path in self.folder.glob("*.sqlite*"):
            if not path.name.startswith(self.lock.name):
                path.unlink()
