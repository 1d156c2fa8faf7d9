"""What a bucket says of itself, as far as an archive in it depends on that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ObjectLockFacts(NamedTuple):
    """Object Lock: on or not, and for how long a new object is kept if nobody says otherwise."""

    enabled: bool
    mode: str | None = None
    days: int | None = None


class ExpiryRule(NamedTuple):
    """A lifecycle rule that is on: which keys it is for, and after how many days it does what.

    None: it does not do that. `deletes_on` is a date at which it deletes.
    """

    name: str
    prefix: str
    deletes_days: int | None = None
    deletes_on: str | None = None
    deletes_versions_days: int | None = None
    aborts_uploads_days: int | None = None
    moves_to: tuple[str, ...] = ()


class RightsFacts(NamedTuple):
    """What these credentials may do, by action (`s3:DeleteObject`); how that was found out."""

    identity: str
    allowed: Mapping[str, bool]
    how: str


class BucketFacts(NamedTuple):
    """A bucket.

    `prefix` is the archive's, "" or ending in "/". `versioning` is `Enabled`, `Suspended` or
    `never`. `encryption` is the default's algorithm, "" for none; `public_blocked` whether all four
    ways to make it public are blocked. `policy` is the bucket's, None if it has none. `skew_s` is
    how much later the store's clock is than ours. `unseen` says of facts why they are not here.
    """

    bucket: str
    prefix: str
    endpoint: str
    is_aws: bool
    versioning: str = "never"
    lock: ObjectLockFacts = ObjectLockFacts(enabled=False)
    lifecycle: tuple[ExpiryRule, ...] = ()
    encryption: str = ""
    public_blocked: bool = False
    policy: Mapping[str, Any] | None = None
    replicated: bool = False
    skew_s: float = 0.0
    rights: RightsFacts | None = None
    unseen: Mapping[str, str] = {}


class FolderFacts(NamedTuple):
    """A folder that an archive lies in: bytes, permissions (`mode`), and who else may write.

    `same_device` is whether temporary files lie on the file system of the rest, so that a link
    makes an object at once.
    """

    path: str
    writable: bool
    mode: int
    free: int
    size: int
    same_device: bool = True
    file_system: str = ""


"""Where the archive is a folder."""
