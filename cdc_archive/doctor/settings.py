"""Settings that are allowed and risky. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cdc_archive.doctor.finding import Finding, error, note, or_passed, warning

_FAULT = error("settings.fault", "A worker does not start with these settings.", "config check")
_SESSION = warning(
    "settings.session",
    "A pause longer than this (a slow disk, a busy machine) takes the partitions away and gives "
    "them to another worker: nothing is lost, and what was read is read again.",
    "docs/operations.md",
)
_AGE = warning(
    "settings.commit-age",
    "So much is lost from view if a worker and Kafka fail together, and it all is read again after "
    "every crash.",
    "docs/operations.md, When a batch is committed",
)
_STOP = warning(
    "settings.shutdown",
    "A worker that is given up by its group before it has committed reads everything again.",
    "docs/operations.md, Stop, upgrade, scale",
)
_UNCOMMITTED = warning(
    "settings.read-uncommitted",
    "Messages of aborted producer transactions are archived as if they had happened.",
    "Apache Kafka documentation, consumer, `isolation.level`",
)
_SKIPS = warning(
    "settings.skips",
    "What is left out cannot be replayed, and without heartbeats silence cannot be told from a "
    "broken stream.",
)
_OPEN = note(
    "settings.http-open",
    "/metrics tells topic names and numbers to whoever can reach it; it has no login.",
    "docs/operations.md, Health",
)
_PLAIN = warning(
    "settings.kafka-plain",
    "Rows go over the wire as they are; whoever is on the way can read them.",
)

_LEAST_SESSION_MS: Final = 10_000
_LONGEST_AGE_S: Final = 3600.0


class SettingsFacts(NamedTuple):
    """What of the settings is looked at; `faults` as `config check` tells them."""

    faults: Sequence[str] = ()
    session_timeout_ms: int = 45_000
    max_poll_interval_ms: int = 300_000
    commit_age_s: float = 60.0
    shutdown_s: float = 25.0
    isolation: str = "read_committed"
    skip_topics: Sequence[str] = ()
    http_host: str = "127.0.0.1"
    http_port: int = 9464
    plain_kafka: bool = False


def findings(facts: SettingsFacts) -> Iterator[Finding]:
    """Look at settings."""
    yield from or_passed(_risks(facts), "settings", "complete, and none is risky")


def _risks(facts: SettingsFacts) -> Iterator[Finding]:
    for fault in facts.faults:
        yield _FAULT.found(fault, "cdc-archive config check", fault.split(" ")[0])
    if facts.session_timeout_ms < _LEAST_SESSION_MS:
        yield _SESSION.found(
            f"kafka.session_timeout_ms is {facts.session_timeout_ms:,}",
            "kafka.session_timeout_ms = 45000",
        )
    if facts.commit_age_s > _LONGEST_AGE_S:
        yield _AGE.found(
            f"archive.commit_age_seconds is {facts.commit_age_s:,.0f}",
            "archive.commit_age_seconds = 60",
        )
    if facts.shutdown_s * 1000 > facts.max_poll_interval_ms:
        yield _STOP.found(
            f"worker.shutdown_deadline_seconds is {facts.shutdown_s:g}, "
            f"kafka.max_poll_interval_ms {facts.max_poll_interval_ms:,}",
            f"kafka.max_poll_interval_ms = {round(facts.shutdown_s * 2000)}",
        )
    if facts.isolation != "read_committed":
        yield _UNCOMMITTED.found(
            f"kafka.isolation_level is {facts.isolation}",
            'kafka.isolation_level = "read_committed"',
        )
    if facts.skip_topics:
        yield _SKIPS.found(
            f"decode.skip_topics has {', '.join(facts.skip_topics)}", "decode.skip_topics = []"
        )
    if facts.http_host not in ("127.0.0.1", "::1", "localhost") and facts.http_port >= 0:
        yield _OPEN.found(
            f"worker.http_host is {facts.http_host}",
            'worker.http_host = "127.0.0.1", or a network policy',
        )
    if facts.plain_kafka:
        yield _PLAIN.found(
            "kafka.security_protocol is without TLS", 'kafka.security_protocol = "SASL_SSL"'
        )
