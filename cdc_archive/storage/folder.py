"""Looks at the folder of an archive on a local file system; changes nothing."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from cdc_archive.storage.bucket import FolderFacts

_TEMPORARY: Final = ".tmp"
_MOUNTS: Final = Path("/proc/self/mounts")


def look(root: Path) -> FolderFacts:
    """What the folder is. Raises OSError if it is not there."""
    found, disk = root.stat(), shutil.disk_usage(root)
    temporary = root / _TEMPORARY
    devices = {one.stat().st_dev for one in (root, temporary) if one.is_dir()}
    devices |= {one.stat().st_dev for one in root.iterdir() if one.is_dir()}
    return FolderFacts(
        str(root),
        os.access(root, os.W_OK | os.X_OK),
        stat.S_IMODE(found.st_mode),
        disk.free,
        disk.total,
        len(devices) == 1,
        _file_system(root.resolve()),
    )


def _file_system(path: Path) -> str:
    """Its type where the system tells it, of the longest mount point above the folder."""
    try:
        lines = [line.split() for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    above = [(len(line[1]), line[2]) for line in lines if path.is_relative_to(line[1])]
    return max(above, default=(0, ""))[1]
