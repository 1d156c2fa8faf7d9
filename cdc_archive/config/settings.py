"""The settings: one frozen model a section, each field with its meaning and an example.

Everything the program can be told stands here; `cdc-archive config example` prints it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from cdc_archive.config.doctor_settings import DoctorSettings
from cdc_archive.config.reconcile_settings import ReconcileSettings
from cdc_archive.config.section import (
    MIB,
    Listed,
    Pattern,
    Patterns,
    ReadableFile,
    Section,
    Servers,
    Token,
    Url,
    is_secret,
    version,
)
from cdc_archive.config.section import field as _field
from cdc_archive.config.watch_settings import WatchSettings

__all__ = ["SECTIONS", "Section", "Settings", "is_secret"]


class KafkaSettings(Section):
    """Where the change streams come from."""

    bootstrap_servers: Servers = _field("brokers to ask first", ["kafka-1:9092"], min_length=1)
    topics: Listed = _field("topics to archive", ["pg.app.api_key", "pg.transaction"], ())
    topic_pattern: Pattern | None = _field(
        "instead of topics: a regular expression that matches whole names", "pg\\..*", None
    )
    group_id: str = _field("consumer group", "cdc-archive", "cdc-archive", min_length=1)
    client: Literal["kafka-python", "librdkafka"] = _field(
        "client library; librdkafka is faster and an extra", "librdkafka", "kafka-python"
    )
    client_id: str = _field("name shown in the broker's logs", "cdc-archive-1", "cdc-archive")
    group_instance_id: str | None = _field("static membership", "archive-1", None)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = _field(
        "how to connect", "SASL_SSL", "PLAINTEXT"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = _field(
        "how to log in", "SCRAM-SHA-512", None
    )
    sasl_username: str | None = _field("who to log in as", "cdc-archive", None)
    sasl_password: SecretStr | None = _field("its password", "...", None)
    ssl_ca_file: ReadableFile | None = _field("the broker's CA, PEM", "/etc/kafka/ca.pem", None)
    ssl_cert_file: ReadableFile | None = _field("our certificate", "/etc/kafka/me.pem", None)
    ssl_key_file: ReadableFile | None = _field("our private key", "/etc/kafka/me.key", None)
    ssl_key_password: SecretStr | None = _field("the key's password", "...", None)
    assignment: Literal["cooperative-sticky", "range", "roundrobin", "sticky"] = _field(
        "how partitions are shared; one protocol for the whole group", "range", "cooperative-sticky"
    )
    isolation_level: Literal["read_committed", "read_uncommitted"] = _field(
        "whether aborted transactions are read", "read_committed", "read_committed"
    )
    session_timeout_ms: int = _field("dead after this silence", 45_000, 45_000, ge=1_000)
    max_poll_interval_ms: int = _field("stuck after this long", 300_000, 300_000, ge=10_000)
    metadata_max_age_ms: int = _field("how soon new topics are seen", 60_000, 60_000, ge=100)
    fetch_max_bytes: int = _field(
        "of one fetch; librdkafka holds four ahead of us", MIB, MIB, ge=1024
    )
    max_partition_fetch_bytes: int = _field("of one partition in it", MIB, MIB, ge=1024)
    max_poll_records: int = _field("messages handed over at once", 500, 500, ge=1)
    max_poll_bytes: int = _field("bytes handed over at once, about", MIB, MIB, ge=1024)
    connect_timeout_seconds: float = _field("patience at the start", 15, 15.0, gt=0)
    api_version: Annotated[tuple[int, ...] | None, BeforeValidator(version)] = _field(
        "protocol version, for brokers that cannot be asked", "2.3", None
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.topics and self.topic_pattern is not None:
            raise ValueError("set either topics or topic_pattern, not both")
        login = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        names = "sasl_mechanism, sasl_username and sasl_password"
        if self.security_protocol.startswith("SASL_") and None in login:
            raise ValueError(f"security_protocol {self.security_protocol} needs {names}")
        if not self.security_protocol.startswith("SASL_") and any(login):
            raise ValueError(f"{names} need security_protocol SASL_SSL or SASL_PLAINTEXT")
        files = (self.ssl_ca_file, self.ssl_cert_file, self.ssl_key_file)
        if not self.security_protocol.endswith("SSL") and any(files):
            raise ValueError("ssl_* files need security_protocol SSL or SASL_SSL")
        if (self.ssl_cert_file is None) != (self.ssl_key_file is None):
            raise ValueError("ssl_cert_file and ssl_key_file go together")
        return self


class StoreSettings(Section):
    """Where the archive lies."""

    url: Url = _field(
        "s3://bucket/prefix, or a folder: file:///path or /path",
        "s3://my-archive/production",
        pattern=r"^(s3://[^/]+(/.*)?|file:///.+|/.+|\./.*|\.\./.*)$",
    )
    endpoint_url: Url | None = _field(
        "S3 that is not AWS", "http://minio:9000", None, pattern=r"^https?://.+"
    )
    ca_file: ReadableFile | None = _field(
        "the CA of the endpoint's certificate, PEM, if this system does not know it",
        "/etc/minio/ca.pem",
        None,
    )
    region: str | None = _field("AWS region", "eu-west-1", None)
    access_key_id: str | None = _field("if boto3 is not to find it itself", "AKIA...", None)
    secret_access_key: Token | None = _field("its secret", "...", None)
    session_token: Token | None = _field("of temporary credentials", "...", None)
    path_style: bool = _field("bucket in the path, as MinIO wants it", True, False)
    sse: Literal["none", "AES256", "aws:kms"] = _field("encryption", "aws:kms", "none")
    sse_kms_key_id: str | None = _field("key for aws:kms", "alias/archive", None)
    connect_timeout_seconds: float = _field("to connect", 5, 5.0, gt=0)
    read_timeout_seconds: float = _field("to wait for an answer", 60, 60.0, gt=0)
    retry_seconds: float = _field("how long a busy store is tried again", 300, 300.0, ge=0)
    max_connections: int = _field("connections kept", 16, 16, ge=1)

    @property
    def is_s3(self) -> bool:
        """Whether the archive lies in a bucket."""
        return self.url.startswith("s3://")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        only_s3 = {"endpoint_url", "ca_file", "region", "access_key_id", "secret_access_key", "sse"}
        if not self.is_s3 and (given := sorted(only_s3 & self.model_fields_set)):
            raise ValueError(f"{', '.join(given)} make sense with an s3:// url only")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        if self.ca_file is not None and (self.endpoint_url or "").startswith("http://"):
            raise ValueError("ca_file makes sense with an https:// endpoint_url only")
        if self.sse_kms_key_id is not None and self.sse != "aws:kms":
            raise ValueError('sse_kms_key_id needs sse = "aws:kms"')
        return self


class ArchiveSettings(Section):
    """When and how files are written."""

    codec: Literal["zstandard", "deflate", "null"] = _field("compression", "deflate", "zstandard")
    block_bytes: int = _field(
        "raw bytes of a file's largest blocks; its first are a sixteenth of it",
        524_288,
        524_288,
        ge=1_024,
        le=16 * MIB,
    )
    key_statistics: bool = _field(
        "commits tell which keys a file may hold: `history` reads few files", False, True
    )
    commit_bytes: int = _field(
        "of one topic partition held in memory", 64 * MIB, 64 * MIB, ge=65_536
    )
    commit_records: int = _field("messages in one commit", 500_000, 500_000, ge=1)
    commit_age_seconds: float = _field("age of the oldest uncommitted message", 60, 60.0, gt=0)
    hour_grace_seconds: float = _field("after an hour ended, before it is closed", 120, 120.0, ge=0)
    memory_budget_bytes: int = _field("over all topic partitions", 256 * MIB, 256 * MIB, ge=MIB)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.commit_bytes > self.memory_budget_bytes:
            raise ValueError("commit_bytes is more than memory_budget_bytes")
        return self


class DecodeSettings(Section):
    """What messages are taken for."""

    flattened_topics: Patterns = _field(
        "topics flattened by ExtractNewRecordState without added fields", ["flat\\..*"], ()
    )
    skip_topics: Patterns = _field(
        "topics to leave out (they are counted)", ["__debezium-heartbeat\\..*"], ()
    )


class DigestSettings(Section):
    """Hourly digests of the archive, and who signs them."""

    seal: bool = _field("whether this worker seals hours; any may, one wins", True, True)
    grace_seconds: float = _field(
        "after an hour ended, before it is sealed: for commits on their way", 120, 120.0, ge=0
    )
    key_file: ReadableFile | None = _field(
        "Ed25519 private key, PEM; `cdc-archive key new FILE` makes one; none: not signed",
        "/etc/cdc-archive/digest.pem",
        None,
    )
    key_password: SecretStr | None = _field("of that file", "...", None)
    kms_key_id: str | None = _field(
        "instead of a file: an asymmetric signing key in AWS KMS, P-256 or Ed25519",
        "alias/cdc-archive-digest",
        None,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.key_file is not None and self.kms_key_id is not None:
            raise ValueError("set either key_file or kms_key_id, not both")
        return self


class WorkerSettings(Section):
    """How the worker runs."""

    poll_seconds: float = _field("longest wait for messages", 1, 1.0, gt=0, le=60)
    upload_threads: int = _field("files uploaded at once", 4, 4, ge=1, le=256)
    shutdown_deadline_seconds: float = _field("to commit on SIGTERM or a revoke", 25, 25.0, gt=0)
    http_host: str = _field("address of /metrics, /healthz, /readyz", "0.0.0.0", "127.0.0.1")  # noqa: S104
    http_port: int = _field("its port; 0: a free one; -1: none", 9464, 9464, ge=-1, le=65_535)
    health_stale_seconds: float = _field(
        "unhealthy when messages waited so long without a commit", 300, 300.0, gt=0
    )
    log_level: Literal["debug", "info", "warning", "error"] = _field("least level", "info", "info")
    log_format: Literal["json", "console", "auto"] = _field(
        "auto: console on a terminal, else json", "json", "auto"
    )


class Settings(BaseModel):
    """All sections. Those that a command does not need may be missing."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kafka: KafkaSettings | None = None
    store: StoreSettings | None = None
    archive: ArchiveSettings = ArchiveSettings()
    decode: DecodeSettings = DecodeSettings()
    digest: DigestSettings = DigestSettings()
    worker: WorkerSettings = WorkerSettings()
    doctor: DoctorSettings = DoctorSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    watch: WatchSettings = WatchSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.worker.health_stale_seconds <= self.archive.commit_age_seconds:
            raise ValueError(
                "worker.health_stale_seconds must be more than archive.commit_age_seconds, "
                "or a healthy worker looks stuck"
            )
        return self


SECTIONS: dict[str, type[Section]] = {
    "kafka": KafkaSettings,
    "store": StoreSettings,
    "archive": ArchiveSettings,
    "decode": DecodeSettings,
    "digest": DigestSettings,
    "worker": WorkerSettings,
    "doctor": DoctorSettings,
    "reconcile": ReconcileSettings,
    "watch": WatchSettings,
}
