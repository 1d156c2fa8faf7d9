"""Settings of a Kafka consumer, in Kafka's own words, shared by both clients."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class KafkaOptions:
    """How to reach the cluster and what to read.

    Exactly one of `topics` and `topic_pattern` is given; the pattern must match the whole name.
    Times are in the unit of the name. `api_version` is only for brokers that cannot be asked.
    Passwords do not show in `repr`.
    """

    bootstrap_servers: tuple[str, ...]
    group_id: str
    topics: tuple[str, ...] = ()
    topic_pattern: str | None = None
    client_id: str = "cdc-archive"
    group_instance_id: str | None = None
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_key_file: str | None = None
    ssl_key_password: str | None = field(default=None, repr=False)
    assignment: str = "cooperative-sticky"
    isolation_level: str = "read_committed"
    session_timeout_ms: int = 45_000
    max_poll_interval_ms: int = 300_000
    metadata_max_age_ms: int = 60_000
    fetch_max_bytes: int = 1_048_576
    max_partition_fetch_bytes: int = 1_048_576
    max_poll_records: int = 500
    max_poll_bytes: int = 1_048_576
    connect_timeout_s: float = 15.0
    api_version: tuple[int, ...] | None = None

    @property
    def has_topic_ids(self) -> bool:
        """Whether the brokers may know topic ids: since Kafka 2.8."""
        return self.api_version is None or self.api_version >= (2, 8)

    @property
    def servers(self) -> str:
        """The bootstrap list, as it stands in messages."""
        return ", ".join(self.bootstrap_servers)
