"""A run's files on disk: what does not fit into memory, and what a broken run goes on from.

SQLite, of Python's own library: state, events and progress of a job are written in one transaction,
so that a kill at any moment leaves a place to go on from.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from cdc_archive.errors import Stop

CACHE_KIB: Final = 16_384
"""Memory that SQLite takes for pages of a file, if no more is asked for."""
STATES_CACHE_KIB: Final = 65_536
"""The same for the rows of a job, which are asked for in any order."""
_APPLICATION: Final = 0x43444341
"""SQLite's `application_id` of a run's lock: by it a folder is known to be ours."""
_OURS: Final = re.compile(r"(plan|beside|job-[0-9]+)\.sqlite(-wal|-shm|-journal)?")
_WAIT_S: Final = 5.0
"""How long a job of a run that was killed may take to end."""


def connect(path: Path, *, alone: bool) -> sqlite3.Connection:
    """Open a database, made if need be, for its owner's eyes only; `alone`: no other process may.

    Raises:
        OSError, sqlite3.Error: what keeps it from that; "locked" if another process has it.
    """
    path.touch(mode=0o600)
    database = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
    if alone:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if alone:
        database.execute("BEGIN EXCLUSIVE")
        database.execute("COMMIT")
    return database


def open_database(
    path: Path, *, alone: bool = False, cache_kib: int = CACHE_KIB
) -> sqlite3.Connection:
    """Open a database of a run, made if need be, for its owner's eyes only.

    Args:
        path: its file.
        cache_kib: memory for its pages.
        alone: keep other processes out for as long as it is open.

    Raises:
        Stop: the file cannot be opened, or another run has it.
    """
    try:
        database = connect(path, alone=alone)
        database.execute(f"PRAGMA cache_size = -{cache_kib}")
    except OSError as error:
        raise Stop(f"{path} cannot be made: {error.strerror}", _ELSEWHERE) from None
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Stop(
                f"another replay works in {path.parent}",
                "Let it end, or give this one another --work-dir.",
            ) from None
        raise Stop(f"{path} cannot be opened: {error}", _ELSEWHERE) from None
    except sqlite3.DatabaseError:
        raise Stop(f"{path} is no file of a replay", _ELSEWHERE) from None
    return database


_ELSEWHERE: Final = "Name another --work-dir: a new folder on a disk with room."


class Workspace:
    """A folder for one run.

    Args:
        folder: made if need be, for its owner only: rows of the archive lie in it.

    Raises:
        Stop: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Stop(f"{folder} cannot be made: {error.strerror}", _ELSEWHERE) from None

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

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out.

        Raises:
            Stop: another run is at work there, the folder has files of somebody else, or the disk
                does not take what is written.
        """
        try:
            strange = not self.lock.exists() and any(self.folder.iterdir())
        except OSError as error:
            raise Stop(f"{self.folder} cannot be read: {error.strerror}", _ELSEWHERE) from None
        if strange:
            raise Stop(f"{self.folder} has files that no replay made", _ELSEWHERE)
        with closing(open_database(self.lock, alone=True)) as lock:
            (application,) = lock.execute("PRAGMA application_id").fetchone()
            if application == 0 and lock.execute("PRAGMA schema_version").fetchone() == (0,):
                lock.execute(f"PRAGMA application_id = {_APPLICATION}")
            elif application != _APPLICATION:
                raise Stop(f"{self.lock} is no file of a replay", _ELSEWHERE)
            try:
                yield
            except sqlite3.Error as error:
                raise Stop(
                    f"{self.folder} does not take the run's files: {error}",
                    "Make room on its disk and go on with --resume, or name another --work-dir.",
                ) from error

    def clear(self) -> None:
        """Remove all that an earlier run left."""
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink()

    def remove(self) -> None:
        """Remove the run's files, unless the next run has them, and the folder if it is empty."""
        with suppress(Stop), self.held():
            self.clear()
            for path in self.folder.glob(f"{self.lock.name}*"):
                path.unlink()
        with suppress(OSError):
            self.folder.rmdir()
