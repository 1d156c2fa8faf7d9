"""Every error that a person or a caller has to act upon, with its exit code and the next action.

One root. Its children say what the caller must do: `Stop` (end the program, a person must act),
`Retry` (the same call may succeed later), `SetAside` (this item only: keep it apart and go on).
The table of exit codes in the README is tested against this module.
"""

from __future__ import annotations

import shlex
from typing import Any


class CdcArchiveError(Exception):
    """Root of all errors of this package.

    Args:
        what: what is the case, in one sentence that names the thing concerned.
        action: what the reader of the message can do about it.
    """

    exit_code = 1
    default_action = ""

    def __init__(self, what: str, action: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.action = action or self.default_action

    def __str__(self) -> str:
        return f"{self.what}\n  {self.action}" if self.action else self.what

    def __reduce__(self) -> tuple[Any, ...]:
        """From another process it comes as itself, whatever it was made of."""
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[CdcArchiveError], args: tuple[Any, ...], state: Any) -> CdcArchiveError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class Stop(CdcArchiveError):
    """The program cannot go on; a person must act."""


class Retry(CdcArchiveError):
    """The same call may succeed later; nothing is lost by waiting."""


class SetAside(CdcArchiveError):
    """This one item cannot be used; it is kept apart with the reason and the rest goes on."""


# --- configuration -----------------------------------------------------------------------------


class ConfigInvalid(Stop):
    """Settings are missing, misspelt or contradictory. Lists every fault found."""

    exit_code = 3


class MappingInvalid(Stop):
    """An audit mapping file has faults. Lists every fault found."""

    exit_code = 4


class MappingUnfit(Stop):
    """An audit mapping names what the archive does not have."""

    exit_code = 21


class Unfit(Stop):
    """`doctor` found errors: changes are lost, or what is archived is in danger."""

    exit_code = 24
    default_action = "Each finding has the command or setting that mends it; see docs/doctor.md."


# --- source ------------------------------------------------------------------------------------


class SourceUnreachable(Stop):
    """No broker of the bootstrap list answers."""

    exit_code = 5
    default_action = "Check kafka.bootstrap_servers and that the broker's port is open from here."


class SourceDenied(Stop):
    """The broker refused the credentials, the certificate or the access."""

    exit_code = 6
    default_action = "Check kafka.security_protocol, kafka.sasl_* and kafka.ssl_*, and the ACLs."


class TopicMissing(Stop):
    """A configured topic does not exist on the cluster."""

    exit_code = 7
    default_action = "Check kafka.topics for a typing error, or create the topic first."


class OffsetGap(Stop):
    """The log no longer holds the next offset of a topic partition: going on would hide a loss."""

    exit_code = 8


class SourceDamaged(Stop):
    """The broker serves a record batch that cannot be read: going on would hide a loss.

    Args:
        what, action: see `CdcArchiveError`.
        topic, partition: where the batch is.
        may_be_lost: whether it is damaged, so that its loss may have to be accepted.
    """

    exit_code = 8

    def __init__(
        self, what: str, action: str, topic: str, partition: int, *, may_be_lost: bool
    ) -> None:
        super().__init__(what, action)
        self.topic, self.partition = topic, partition
        self.may_be_lost = may_be_lost


class GapRefused(Stop):
    """A loss that is to be accepted is not the one that the chain has."""

    exit_code = 2


class StreamBroken(Stop):
    """A connector began anew (lost slot or offsets): its change stream has a hole before here."""

    exit_code = 8

    def __init__(self, what: str, connector: str, position: int) -> None:
        super().__init__(
            what,
            "To record the loss in every chain of this connector and go on after it:\n"
            f"    cdc-archive gap accept --connector {shlex.quote(connector)} "
            f"--position {position} --reason '...' --by '...'",
        )
        self.connector = connector
        self.position = position


class SourceBusy(Retry):
    """No broker answers a question now."""

    exit_code = 5


class SourceInvalid(Stop):
    """A recorded source is not what it claims to be (not JSONL, offsets out of order, ...)."""

    exit_code = 9


# --- store -------------------------------------------------------------------------------------


class StoreUnreachable(Stop):
    """The object store does not answer."""

    exit_code = 10
    default_action = "Check store.url and store.endpoint_url, and that the store is up."


class BucketMissing(Stop):
    """The bucket or the root folder does not exist."""

    exit_code = 11
    default_action = "Create it first; cdc-archive never creates a bucket."


class StoreDenied(Stop):
    """The store refused the credentials or the access."""

    exit_code = 12
    default_action = "Check store.access_key_id, store.secret_access_key and the bucket's policy."


class StoreUnsafe(Stop):
    """The store ignores `If-None-Match: *`, so two writers could overwrite each other (I1)."""

    exit_code = 13
    default_action = (
        "Use a store with conditional writes (AWS S3, MinIO, versitygw, a local folder)."
    )


class StoreBusy(Retry):
    """The store did not take the request now (throttling, 5xx, a broken connection)."""

    exit_code = 10


class StateUnknown(Retry):
    """The answer to a create was lost: the object may or may not exist now."""

    exit_code = 10


class ObjectMissing(SetAside):
    """No object stands under this key."""

    exit_code = 14


# --- archive -----------------------------------------------------------------------------------


class ArchiveMissing(Stop):
    """There is no archive at this place (no `archive.json`)."""

    exit_code = 14
    default_action = "Check store.url; a worker creates the archive at its first start."


class ArchiveDamaged(Stop):
    """An object of the archive is not what the chain says it is."""

    exit_code = 15
    default_action = "Do not write to this archive; restore the named object from a copy."


class ObjectTooLarge(ArchiveDamaged):
    """An object is larger than anything that belongs under its key; it was not read."""

    def __init__(self, where: str, size: int, limit: int) -> None:
        super().__init__(f"{where}: has {size:,} bytes, more than the {limit:,} that may be there")


class ArchiveIncomplete(Stop):
    """The archive is what was written, and losses are recorded in it."""

    exit_code = 20
    default_action = "See them with `cdc-archive ls --by gap`; --allow-gaps if they are known."


class Unreconciled(Stop):
    """A published audit log is not what the archived changes prove."""

    exit_code = 22


class AlarmsFiring(Stop):
    """`watch --once` found what it alarms about."""

    exit_code = 23
    default_action = (
        "docs/watch.md tells what each means; `cdc-archive reconcile` names each event."
    )


class FormatUnknown(Stop):
    """The archive was written in a format version that this program does not know."""

    exit_code = 16
    default_action = "Use a newer cdc-archive."


class NothingFound(Stop):
    """A question about the archive matched nothing; an empty answer would look like a good one."""

    exit_code = 17


class SigningFailed(Stop):
    """The signing key cannot be used: its service refuses, or does not answer."""

    exit_code = 25


class KeyRefused(Stop):
    """A key may not sign this archive: no key before it vouches for it, or it was replaced."""

    exit_code = 26


class Fenced(Retry):
    """Another writer has committed this sequence number: drop the buffers and re-read the head."""

    exit_code = 18


# --- worker ------------------------------------------------------------------------------------


class DeadlineExceeded(Stop):
    """A graceful stop ran out of time; what was not committed is re-read at the next start."""

    exit_code = 19
    default_action = (
        "Nothing is lost. Raise worker.shutdown_deadline_seconds to commit before exit."
    )


# --- messages ----------------------------------------------------------------------------------


class Undecodable(SetAside):
    """A message that is not a Debezium message we know.

    Args:
        reason: a short stable name, counted and stored (see schemas/ARCHIVE_FORMAT.md, Quarantine).
        detail: what exactly is wrong, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
