"""The files under schemas/: in the wheel they stand in the package, in a checkout beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def root() -> Path:
    """The folder that holds the schemas of this very version."""
    package = Path(__file__).parent
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parent / "schemas"


def read(name: str) -> bytes:
    """The bytes of a schema file.

    Args:
        name: path below schemas/, for example `change_record.avsc`.
    """
    return (root() / name).read_bytes()
