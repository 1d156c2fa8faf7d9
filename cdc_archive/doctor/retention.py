"""How long until a topic deletes what the archive has not read yet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.doctor.finding import Finding, error, warning
from cdc_archive.source.cluster import PartitionFacts, TopicLook
from cdc_archive.source.out_of_range import accept_command

_CONFIG: Final = (
    "Apache Kafka documentation, topic configuration, `retention.ms`, `retention.bytes`"
)
_GONE = error(
    "kafka.deleted-unread",
    "Messages that the archive has not read were deleted: they are lost, and the worker stops with "
    "exit code 8 until somebody accepts the gap.",
    _CONFIG,
)
_SOON = error(
    "kafka.deletes-soon",
    "The oldest message that waits is about to be deleted: then it is lost.",
    _CONFIG,
)
_SHORT = warning(
    "kafka.retention-short",
    "If workers are down for longer than this, changes are lost. A week covers a long weekend.",
    _CONFIG,
)
_SIZE = warning(
    "kafka.retention-bytes",
    "A burst of changes shortens the time that they are kept, and with it the time to repair a "
    "worker.",
    _CONFIG,
)

SERVERS: Final = "<SERVERS>"
"""In a command: stands for the bootstrap servers."""
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_LEAST_MS: Final = 3 * _DAY_MS
_SOON_SHARE: Final = 0.25
_ADVISED: Final = "retention.ms=604800000,retention.bytes=-1"


def of_retention(topic: TopicLook, now_ms: int) -> Iterator[Finding]:
    """Time and bytes until loss, of each partition where messages wait."""
    if topic.config is None:
        return
    keeps_ms, keeps_bytes = (
        _number(topic.config, "retention.ms"),
        _number(topic.config, "retention.bytes"),
    )
    mend = (
        f"kafka-configs.sh --bootstrap-server {SERVERS} --alter --entity-type topics "
        f"--entity-name {topic.name} --add-config {_ADVISED}"
    )
    for part in topic.partitions:
        yield from _of_partition(topic.name, part, (keeps_ms, keeps_bytes), now_ms, mend)
    if 0 <= keeps_ms < _LEAST_MS:
        yield _SHORT.found(f"messages are kept for {_time(keeps_ms)}", mend, topic.name)
    if keeps_bytes >= 0:
        rates = [rate for part in topic.partitions if (rate := bytes_an_hour(part)) is not None]
        lasts = (
            f", {_time(keeps_bytes / max(rates) * _HOUR_MS)} at now's rate" if any(rates) else ""
        )
        yield _SIZE.found(f"{keeps_bytes:,} bytes of a partition are kept{lasts}", mend, topic.name)


def _of_partition(
    topic: str, part: PartitionFacts, keeps: tuple[int, int], now_ms: int, mend: str
) -> Iterator[Finding]:
    about = f"{topic}[{part.partition}]"
    if part.first is not None and part.next_offset is not None and part.first > part.next_offset:
        yield _GONE.found(
            f"offsets {part.next_offset:,} to {part.first:,} are deleted and not archived",
            accept_command(TopicPartition(topic, part.partition), part.next_offset, part.first),
            about,
        )
    left = min(_time_left(part, keeps[0], now_ms), _time_left_of_bytes(part, keeps[1]))
    window = min(keeps[0] if keeps[0] >= 0 else _DAY_MS, _DAY_MS)
    if part.lag and left < window * _SOON_SHARE:
        yield _SOON.found(
            f"{part.lag:,} messages wait, and the oldest is deleted in "
            f"{_time(max(0, left))} at now's rate",
            f"{mend} # and start a worker",
            about,
        )


def _time_left(part: PartitionFacts, keeps_ms: int, now_ms: int) -> float:
    if keeps_ms < 0 or part.waits_since_ms is None:
        return float("inf")
    return part.waits_since_ms + keeps_ms - now_ms


def _time_left_of_bytes(part: PartitionFacts, keeps_bytes: int) -> float:
    each, rate = bytes_each(part), bytes_an_hour(part)
    if keeps_bytes < 0 or each is None or not rate or part.lag is None:
        return float("inf")
    return (keeps_bytes - part.lag * each) / rate * _HOUR_MS


def bytes_each(part: PartitionFacts) -> float | None:
    """Bytes of a message in the log, on average; None: not known."""
    if part.size is None or part.first is None or part.end is None or part.end <= part.first:
        return None
    return part.size / (part.end - part.first)


def bytes_an_hour(part: PartitionFacts) -> float | None:
    """How fast the log grew in the last hour; None: not known."""
    each = bytes_each(part)
    if each is None or part.an_hour_ago is None or part.end is None:
        return None
    return each * max(0, part.end - part.an_hour_ago)


def _number(config: Mapping[str, str], key: str) -> int:
    return int(config.get(key) or -1)


def _time(milliseconds: float) -> str:
    if milliseconds >= 2 * _DAY_MS:
        return f"{milliseconds / _DAY_MS:,.1f} days"
    if milliseconds >= _HOUR_MS:
        return f"{milliseconds / _HOUR_MS:,.1f} hours"
    return f"{milliseconds / 60_000:,.1f} minutes"
