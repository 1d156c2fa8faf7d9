"""What `cdc-archive doctor` can be told."""

from __future__ import annotations

from typing import Self

from pydantic import SecretStr, model_validator

from cdc_archive.config.section import Listed, ReadableFile, ReadableFiles, Section, Url
from cdc_archive.config.section import field as _field


class DoctorSettings(Section):
    """What `cdc-archive doctor` looks at beside Kafka and the store. Nothing here is changed."""

    postgres_dsn: SecretStr | None = _field(
        "the database, for a user who may only read; needs the extra `postgres`",
        "postgresql://doctor:...@db:5432/app",
        None,
    )
    connect_url: Url | None = _field(
        "Kafka Connect's REST interface", "http://connect:8083", None, pattern=r"^https?://.+"
    )
    connect_username: str | None = _field("to log in there (basic)", "doctor", None)
    connect_password: SecretStr | None = _field("its password", "...", None)
    connect_ca_file: ReadableFile | None = _field(
        "the CA of its certificate, PEM", "/etc/connect/ca.pem", None
    )
    connectors: Listed = _field("their names; none: all of Debezium's", ["pg"], ())
    connector_files: ReadableFiles = _field(
        "configurations of connectors, where Connect cannot be asked", ["/etc/connect/pg.json"], ()
    )
    timeout_seconds: float = _field("longest wait for one answer", 10, 10.0, gt=0)
    sample_hours: float = _field("of the archive's end whose actors are counted", 24, 24.0, gt=0)
    try_delete: bool = _field(
        "whether a deletion of a key that never was may be tried, where IAM cannot be asked",
        True,
        True,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.connect_username is None) != (self.connect_password is None):
            raise ValueError("connect_username and connect_password go together")
        return self
