"""The watch's memory: one SQLite file, written by one process, committed by the loop alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cdc_archive.errors import Stop
from cdc_archive.replay.workspace import connect

VERSION: Final = 1
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS began (name TEXT PRIMARY KEY, value INTEGER);"


def open_state(folder: Path, schemas: Iterable[str]) -> sqlite3.Connection:
    """Open the state in a folder, made if need be, for its owner's eyes only, in a transaction.

    Args:
        folder: `watch.state_dir`.
        schemas: SQL that makes the tables of the parts, if they are not there.

    Raises:
        Stop: it cannot be opened, another watch has it, or another version of this program made it.
    """
    path = folder / "watch.sqlite"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = connect(path, alone=True)
        _require_version(database, path)
        database.executescript("".join((_SCHEMA, *schemas)))
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("BEGIN")
    except OSError as error:
        raise Stop(f"{path} cannot be made: {error.strerror}", _ELSEWHERE) from None
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Stop(
                f"another watch works in {folder}",
                "Let one watch at a time have a watch.state_dir, and a watch.group_id.",
            ) from None
        raise Stop(f"{path} cannot be opened: {error}", _ELSEWHERE) from None
    except sqlite3.DatabaseError:
        raise Stop(f"{path} is no state of a watch", _ANEW) from None
    return database


def _require_version(database: sqlite3.Connection, path: Path) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise Stop(f"{path} was written by another version of this program", _ANEW)


def begun_with(database: sqlite3.Connection, name: str, value: int) -> int:
    """The number that was given for something when it was first asked for."""
    database.execute("INSERT OR IGNORE INTO began VALUES (?, ?)", (name, value))
    found = database.execute("SELECT value FROM began WHERE name = ?", (name,))
    return int(found.fetchone()[0])


_ELSEWHERE: Final = "Set watch.state_dir to a folder on a disk with room."
_ANEW: Final = (
    "Remove it: the watch then begins anew, as far back as watch.backlog_hours says, and learns "
    "what is usual anew."
)
