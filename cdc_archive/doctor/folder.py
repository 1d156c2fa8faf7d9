"""Whether a local folder keeps what is archived in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdc_archive.doctor.finding import Finding, error, note, passed, warning
from cdc_archive.storage.bucket import FolderFacts

_NOT_WRITABLE = error("bucket.folder-read-only", "A worker cannot archive into it.")
_ANYBODY = error(
    "bucket.folder-permissions", "Other users of this machine can read rows, or delete the archive."
)
_DEVICES = error(
    "bucket.folder-devices",
    "An object is made by linking a temporary file to its name, which cannot be done from one file "
    "system to another.",
)
_FULL = warning(
    "bucket.folder-room", "A full disk holds the worker up, until Kafka's retention has passed."
)
_REMOTE = warning(
    "bucket.folder-network",
    "On a network file system a link may succeed and be reported as failed, and a lock may be "
    "lost: use a bucket, or one worker.",
    "link(2), BUGS",
)
_ONE_MACHINE = note(
    "bucket.folder",
    "Its owner can alter or delete everything, and it lies on one machine: no Object Lock, no "
    "copy.",
)
_LEAST_FREE: Final = 10 << 30
_LEAST_SHARE: Final = 0.1
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"})


def findings(facts: FolderFacts) -> Iterator[Finding]:
    """Look at a folder."""
    path = facts.path
    yield _ONE_MACHINE.found(
        "the archive is a folder", "Archive into a bucket, or copy it to one.", path
    )
    if not facts.writable:
        yield _NOT_WRITABLE.found(
            "this user may not write there", f"chown the worker's user {path}", path
        )
    if facts.mode & 0o022 or facts.mode & 0o005:
        yield _ANYBODY.found(f"permissions {facts.mode:o}", f"chmod 750 {path}", path)
    else:
        yield passed("bucket", f"permissions {facts.mode:o}", path)
    if not facts.same_device:
        yield _DEVICES.found(
            "a folder in it lies on another file system", "Mount nothing below it.", path
        )
    if facts.free < _LEAST_FREE and facts.free < facts.size * _LEAST_SHARE:
        yield _FULL.found(
            f"{facts.free / (1 << 30):,.1f} GiB free of {facts.size / (1 << 30):,.1f}",
            "Make room on the disk that holds it.",
            path,
        )
    if facts.file_system in _NETWORK:
        yield _REMOTE.found(f"the file system is {facts.file_system}", "Use a bucket.", path)
