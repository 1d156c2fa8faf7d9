"""An object store in a folder of a local file system, with the guarantees of the port.

An object is written to a temporary file, synced, and linked to its name: the link either makes the
name or fails because it is there, and a half-written object is never seen.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cdc_archive.errors import (
    BucketMissing,
    ObjectMissing,
    ObjectTooLarge,
    StoreBusy,
    StoreDenied,
    StoreUnreachable,
)
from cdc_archive.storage.compare import begins_with
from cdc_archive.storage.object_store import Content, ObjectStat

_TEMPORARY: Final = ".tmp"


class LocalStore:
    """Objects as files below a folder that exists.

    Args:
        root: the folder; never created here, as a bucket is not.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, key: str, data: Content) -> bool:
        """See the port. Durable once it returns: file and folders are synced."""
        path = self._path(key)
        try:
            temporary = self._write_temporary(data)
            try:
                self._make_folders(path.parent)
                os.link(temporary, path)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            _sync_folder(path.parent)
        except OSError as error:
            raise self._told(error, key) from None
        return True

    def get(self, key: str, limit: int | None = None) -> bytes:
        """See the port."""
        try:
            with self._path(key).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if limit is not None and size > limit:
                    raise ObjectTooLarge(f"{self._root}: {key}", size, limit)
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self.check()
            raise ObjectMissing(f"{self._root}: no object {key}") from None
        except OSError as error:
            raise self._told(error, key) from None

    def holds(self, key: str, data: Content) -> bool:
        """See the port."""
        try:
            with self._path(key).open("rb") as file:
                as_long = os.fstat(file.fileno()).st_size == len(data)
                return as_long and begins_with(file.read, data)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self.check()
            raise ObjectMissing(f"{self._root}: no object {key}") from None
        except OSError as error:
            raise self._told(error, key) from None

    def stat(self, key: str) -> ObjectStat | None:
        """See the port."""
        path = self._path(key)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self.check()
            return None
        except OSError as error:
            raise self._told(error, key) from None
        return ObjectStat(key, found.st_size, found.st_mtime) if path.is_file() else None

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        """See the port. Folders that cannot hold a match are not entered."""
        self.check()
        yield from self._walk("", prefix, start_after)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectStat]:
        try:
            entries = list(os.scandir(self._root / folder))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._told(error, folder) from None
        for key, entry in sorted(
            ((folder + entry.name + ("/" if entry.is_dir() else ""), entry) for entry in entries),
            key=lambda pair: _order(pair[0]),
        ):
            if key == _TEMPORARY + "/" or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if entry.is_dir():
                if not _all_before(key, after):
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and _order(key) > _order(after) and entry.is_file():
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat()
                    yield ObjectStat(key, found.st_size, found.st_mtime)

    def check(self) -> None:
        """See the port."""
        if not self._root.is_dir():
            raise BucketMissing(f"the folder {self._root} does not exist")
        if not os.access(self._root, os.R_OK | os.X_OK):
            raise StoreDenied(f"the folder {self._root} cannot be read by this user")

    def close(self) -> None:
        """Nothing to free."""

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if "\0" in key or any(part in ("", ".", "..", _TEMPORARY) for part in parts):
            raise ValueError(f"{key!r} is not an object key")
        return self._root.joinpath(*parts)

    def _write_temporary(self, data: Content) -> Path:
        folder = self._root / _TEMPORARY
        self.check()
        folder.mkdir(exist_ok=True)
        path = folder / secrets.token_hex(16)
        with path.open("xb") as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                path.unlink()
                raise
        return path

    def _make_folders(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            new.mkdir(exist_ok=True)
            _sync_folder(new.parent)

    def _told(self, error: OSError, key: str) -> Exception:
        what = f"{self._root}: {key}: {error.strerror}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return StoreDenied(what, "Give this user the right to write below the folder.")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreBusy(what, "Make room on the disk that holds the folder.")
        if error.errno == errno.ENAMETOOLONG:
            return ValueError(what)
        return StoreUnreachable(what, "Check the disk or mount that holds the folder.")


def _order(key: str) -> bytes:
    """What keys are compared by; a name in the folder need not be UTF-8."""
    return key.encode("utf-8", "surrogateescape")


def _all_before(folder: str, after: str) -> bool:
    """Whether no key in `folder` (which ends in "/") comes after `after`."""
    return not after.startswith(folder) and _order(folder) < _order(after)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
