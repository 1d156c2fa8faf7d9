"""The stage of the demo: a broker and an S3 server in this process, speaking the real protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import wiring
from cdc_archive.config.settings import Settings
from cdc_archive.errors import ConfigInvalid
from cdc_archive.source.message import Message

BUCKET = "demo-archive"


class Stage(NamedTuple):
    """What is set up: settings that point at it, and how many messages wait in the broker."""

    settings: Settings
    waiting: int


@contextmanager
def stage(messages: Sequence[Message]) -> Iterator[Stage]:
    """Start both servers, fill the broker, stop everything at the end.

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
        for one in messages:
            headers: list[tuple[str, str | bytes | None]] = [*one.headers]
            producer.produce(
                one.topic, one.value, one.key, 0, headers=headers, timestamp=one.timestamp
            )
        producer.flush(20)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        open_things.callback(server.stop)
        host, port = server.get_host_and_port()
        settings = _settings(
            [f"{broker.host}:{broker.port}" for broker in brokers],
            sorted({one.topic for one in messages}),
            f"http://{host}:{port}",
        )
        _bucket(settings)
        yield Stage(settings, len(messages))


def _settings(brokers: list[str], topics: list[str], endpoint: str) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": brokers, "topics": topics, "api_version": "2.3"},
            "store": {
                "url": f"s3://{BUCKET}/archive",
                "endpoint_url": endpoint,
                "region": "us-east-1",
                "access_key_id": "demo",
                "secret_access_key": "demo",
                "path_style": True,
            },
            "archive": {"commit_records": 500, "commit_age_seconds": 0.5},
            "worker": {"poll_seconds": 0.2},
        }
    )


def _bucket(settings: Settings) -> None:
    wiring.s3_client(settings).create_bucket(Bucket=BUCKET)


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
