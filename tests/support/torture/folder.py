"""A folder looked at as if it were a bucket, so that the same reader and witness serve both."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class FolderBucket:
    """The three calls of boto3 that tests make.

    Args:
        root: holds archives, each in a folder of its own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def get_paginator(self, _operation: str) -> FolderBucket:
        """Itself: one page is all."""
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        """Objects below a folder; ETag: the inode and the content's hash, so no swap is missed."""
        found = []
        for path in sorted((self._root / Prefix).rglob("*")):
            key = path.relative_to(self._root).as_posix()
            if path.is_file() and "/.tmp/" not in key:
                stat = path.stat()
                tag = f"{stat.st_ino}-{hashlib.sha256(path.read_bytes()).hexdigest()}"
                found.append({"Key": key, "ETag": tag, "LastModified": stat.st_mtime_ns})
        yield {"Contents": found}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """The bytes of one object."""
        return {"Body": io.BytesIO((self._root / Key).read_bytes())}
