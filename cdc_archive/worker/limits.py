"""When a batch becomes a commit. Pure decisions over a batch and a clock reading."""

from __future__ import annotations

from typing import Final, NamedTuple

from cdc_archive.archive.writer.batch import Batch
from cdc_archive.changelog.hour import US_PER_HOUR

BYTES: Final = "bytes"
RECORDS: Final = "records"
AGE: Final = "age"
HOUR: Final = "hour"
PRESSURE: Final = "pressure"
REVOKED: Final = "revoked"
STOP: Final = "stop"


class Limits(NamedTuple):
    """Limits of one batch, and of all together.

    `commit_bytes` and `memory_budget_bytes` are bytes held in memory; `commit_age_s` counts from
    the batch's first message, whether more come or not; an hour is closed `hour_grace_s` after its
    end was passed by the event time of the partition's changes.
    """

    commit_bytes: int = 64 * 1024 * 1024
    commit_records: int = 500_000
    commit_age_s: float = 60.0
    hour_grace_s: float = 120.0
    memory_budget_bytes: int = 256 * 1024 * 1024


def due(batch: Batch, limits: Limits, now: float) -> str | None:
    """Why a batch is to be committed now, None if it is not.

    An hour that was passed long ago closes nothing by itself: late data waits for the other limits,
    so that a backlog over thousands of hours does not become thousands of small files.

    Args:
        batch: an open batch.
        limits: the settings.
        now: monotonic seconds.
    """
    if batch.messages == 0:
        return None
    if batch.buffered_bytes >= limits.commit_bytes:
        return BYTES
    if batch.messages >= limits.commit_records:
        return RECORDS
    age = now - batch.opened_at
    if age >= limits.commit_age_s:
        return AGE
    if age >= limits.hour_grace_s and _hour_is_closed(batch, limits.hour_grace_s):
        return HOUR
    return None


def _hour_is_closed(batch: Batch, grace_s: float) -> bool:
    hour = batch.oldest_hour_open()
    start = None if hour is None else hour.start_us()
    if start is None or batch.newest_event_us is None:
        return False
    return batch.newest_event_us >= start + US_PER_HOUR + int(grace_s * 1_000_000)
