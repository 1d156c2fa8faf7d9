"""The stage of the demo: a broker and an S3 server in this process, speaking the real protocols."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import wiring
from cdc_archive.config.settings import Settings, StoreSettings
from cdc_archive.errors import ConfigInvalid
from cdc_archive.source.message import CREATE_TIME, Message

AUDIT: Final = "audit"
"""The topic of the published audit log."""
_SERVICE: Final = "service"
"""The header that names the service which published an event."""

_SETTINGS: Final = """\
[kafka]
bootstrap_servers = {brokers}
topics = {topics}
api_version = "2.3"  # this broker cannot be asked
session_timeout_ms = 6000

[store]
url = "s3://{bucket}/archive"
endpoint_url = "{endpoint}"
region = "us-east-1"
access_key_id = "demo-access-key"
secret_access_key = "demo-secret-key"
path_style = true

[archive]
commit_records = 500
commit_age_seconds = 0.5

[worker]
poll_seconds = 0.2
http_port = -1
log_format = "json"

[reconcile]
service_header = "{header}"

{rules}
[watch]
published_topics = ["{audit}"]
state_dir = "watch"

[digest]
seal = false  # no hour is over yet
"""
_RULE: Final = """\
[[reconcile.service]]
name = "{name}"
types = {types}
"""


@contextmanager
def stage(
    stream: Sequence[Message], published: Sequence[Message], services: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Start both servers, fill the broker, stop everything at the end.

    Args:
        stream: what Debezium wrote.
        published: what reached the audit topic.
        services: the event types (wildcards) of each service, for the settings.

    Yields:
        The text of a settings file that points at the servers.

    Raises:
        ConfigInvalid: the extra `demo` is not installed.
    """
    try:
        from confluent_kafka import Producer
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        raise ConfigInvalid(
            f"the demo needs {error.name}, which is not installed",
            "Run: pip install 'cdc-archive[demo]'",
        ) from None
    with ExitStack() as open_things:
        producer = Producer(
            {"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 3}
        )
        brokers = producer.list_topics(timeout=10).brokers.values()
        for one in (*stream, *published):
            headers: list[tuple[str, str | bytes | None]] = [*one.headers]
            producer.produce(
                one.topic, one.value, one.key, 0, headers=headers, timestamp=one.timestamp
            )
        producer.flush(20)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        open_things.callback(server.stop)
        host, port = server.get_host_and_port()
        bucket = f"demo-{uuid.uuid4().hex}"  # all servers of one process share their buckets
        rules = [_RULE.format(name=one, types=json.dumps(services[one])) for one in services]
        settings = _SETTINGS.format(
            brokers=json.dumps([f"{one.host}:{one.port}" for one in brokers]),
            topics=json.dumps(sorted({one.topic for one in stream})),
            bucket=bucket,
            endpoint=f"http://{host}:{port}",
            header=_SERVICE,
            audit=AUDIT,
            rules="\n".join(rules),
        )
        _make_bucket(bucket, settings)
        yield settings


def _make_bucket(name: str, settings: str) -> None:
    store = StoreSettings(**tomllib.loads(settings)["store"])
    wiring.s3_client(Settings(store=store)).create_bucket(Bucket=name)


def published(service: str, event: dict[str, Any]) -> Message:
    """An event as a service publishes it."""
    return Message(
        AUDIT,
        0,
        0,
        event["effective_at"] * 1000,
        CREATE_TIME,
        event[event["type"]]["id"].encode(),
        json.dumps(event).encode(),
        ((_SERVICE, service.encode()),),
    )


def recorded(path: Path) -> list[Message]:
    """All messages of a recording."""
    source = wiring.recorded_source([path])
    found: list[Message] = []
    source.open(_Everything())
    while not source.exhausted:
        found += source.poll(0)
    return found


class _Everything:
    """Takes every partition from its beginning."""

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {}

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        pass

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        pass
