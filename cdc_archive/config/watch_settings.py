"""The settings of `cdc-archive watch`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from cdc_archive.config.section import (
    Listed,
    ReadableFile,
    Section,
    Token,
    Url,
    json_list,
    listed,
    no_login,
)
from cdc_archive.config.section import field as _field

Addresses = Annotated[Listed, BeforeValidator(no_login)]


class Counted(Section):
    """Where a service counts the audit events that it failed to publish: an address an instance."""

    service: str
    urls: Addresses = Field(min_length=1)
    metric: str
    labels: dict[str, str] = Field(default={})


SecretUrls = Annotated[tuple[SecretStr, ...], BeforeValidator(listed)]
Scraped = Annotated[tuple[Counted, ...], BeforeValidator(json_list())]


class WatchSettings(Section):
    """The standing watch. What published events look like stands in [reconcile]."""

    published_topics: Listed = _field(
        "topics of the published audit log; none: only volumes are watched", ["audit"], ()
    )
    mapping: ReadableFile | None = _field(
        "rules from row changes to events; none: the OpenAI-shaped one", "/etc/audit.toml", None
    )
    state_dir: str = _field(
        "folder for what it knows; one watch at a time", "/var/lib/cdc-archive/watch", "watch-state"
    )
    group_id: str = _field(
        "consumer group, its own", "cdc-archive-watch", "cdc-archive-watch", min_length=1
    )
    grace_seconds: float = _field("to publish an event after its change", 60, 60.0, ge=0)
    late_seconds: float = _field(
        "for a change to come after its event, if nothing shows that it was passed",
        900,
        900.0,
        ge=0,
    )
    settle_seconds: float = _field(
        "to hold a change, so that those of other topics can be put in order", 2, 2.0, ge=0, le=600
    )
    evaluate_seconds: float = _field("from one evaluation to the next", 5, 5.0, gt=0, le=600)
    backlog_hours: float = _field(
        "how far back events are compared when it begins; row versions are learnt from all that is "
        "there",
        24,
        24.0,
        ge=0,
    )
    window_minutes: float = _field(
        "for which an altered, doubled or unexpected event counts", 60, 60.0, gt=0
    )
    remember_hours: float = _field("to know published events, for their doubles", 2, 2.0, gt=0)
    missing_hours: float = _field(
        "to wait for a missing event before it is given up", 168, 168.0, gt=0
    )
    silence_changes: int = _field("so many without any event are a silence", 3, 3, ge=1)
    behind_seconds: float = _field("not at the end of a topic for so long", 300, 300.0, gt=0)
    webhook_urls: SecretUrls = _field(
        "receivers of alerts, in the format that Alertmanager sends to webhooks",
        ["https://alerts.example.com/hook"],
        (),
    )
    webhook_token: Token | None = _field("bearer token for them", "...", None)
    webhook_ca_file: ReadableFile | None = _field(
        "the CA of their certificates, PEM, if this system does not know it", "/etc/ca.pem", None
    )
    canary_topic: str | None = _field(
        "topic of a table that the database writes every few seconds (heartbeat.action.query)",
        "pg.app.heartbeat",
        None,
    )
    canary_seconds: float = _field("for its row to come to Kafka", 300, 300.0, gt=0)
    canary_archive_seconds: float = _field(
        "for its row to come to the archive, if [store] is set", 900, 900.0, gt=0
    )
    publish_errors: Scraped = _field(
        "what services count of their own failures to publish",
        [
            {
                "service": "keys",
                "urls": ["http://keys-1:8080/metrics"],
                "metric": "kafka_producer_record_error_total",
            }
        ],
        (),
    )
    publish_errors_per_second: float = _field("that are no alarm", 0.01, 0.0, ge=0)
    worker_urls: Annotated[Listed, BeforeValidator(no_login)] = _field(
        "health of workers", ["http://worker-1:9464/healthz"], ()
    )
    worker_seconds: float = _field("for which one may be unwell", 120, 120.0, gt=0)
    look_seconds: float = _field("from one look at those addresses to the next", 15, 15.0, gt=0)
    look_ca_file: ReadableFile | None = _field(
        "the CA of their certificates, PEM", "/etc/ca.pem", None
    )
    resolve_seconds: float = _field("to be well again before an alert is over", 60, 60.0, ge=0)
    group_wait_seconds: float = _field(
        "to collect what begins together, before the first message", 10, 10.0, ge=0
    )
    group_interval_seconds: float = _field("between two messages of a service", 120, 120.0, ge=0)
    repeat_hours: float = _field("before the same is told again", 4, 4.0, gt=0)
    external_url: Url = _field("of a dashboard, for messages", "https://grafana/d/cdc", "")
    docs_url: Url = _field(
        "of the folder that docs/alerts.md is in, for messages",
        "https://github.com/acme/cdc-archive/blob/main/docs/",
        "docs/",
    )
    deadman_url: SecretStr | None = _field(
        "called after whole evaluations; whoever runs it alarms when it is not",
        "https://hc.example.com/ping/...",
        None,
    )
    deadman_seconds: float = _field("from one call to the next", 60, 60.0, gt=0)
    http_host: str = _field("address of /metrics, /healthz, /readyz", "0.0.0.0", "127.0.0.1")  # noqa: S104
    http_port: int = _field("its port; 0: a free one; -1: none", 9465, 9465, ge=-1, le=65_535)
