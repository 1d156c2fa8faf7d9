"""librdkafka may forget all brokers on answers that name none; its source goes on anyhow."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from support.build import changes
from support.hiding_proxy import HidingProxy
from support.listening import Listener, poll_until
from support.mock_broker import API_VERSION, MockBroker

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.librdkafka_brokers import KnownBrokers
from cdc_archive.source.options import KafkaOptions


@pytest.fixture
def topic(broker: MockBroker) -> str:
    return broker.topic()


@pytest.fixture
def proxy(broker: MockBroker, topic: str) -> Iterator[HidingProxy]:
    proxy = HidingProxy(broker, topic)
    yield proxy
    proxy.close()


@pytest.fixture
def source(proxy: HidingProxy, topic: str) -> Iterator[LibrdkafkaSource]:
    source = LibrdkafkaSource(
        KafkaOptions(
            (proxy.servers,),
            f"g-{secrets.token_hex(4)}",
            (topic,),
            api_version=API_VERSION,
            session_timeout_ms=6000,
            metadata_max_age_ms=1000,
        )
    )
    yield source
    source.close()


def test_a_consumer_whose_brokers_are_forgotten_joins_again(
    broker: MockBroker, proxy: HidingProxy, source: LibrdkafkaSource, topic: str
) -> None:
    """What it owned is lost to it first: another may have it."""
    broker.produce(one._replace(topic=topic) for one in changes(10))
    listener = Listener()
    source.open(listener)
    poll_until(lambda found: len(found) == 10, source)
    proxy.hide_until_forgotten()
    broker.produce(one._replace(topic=topic) for one in changes(10))
    listener.starts = {TopicPartition(topic, 0): 10}
    found = poll_until(lambda found: len(found) >= 10, source, seconds=60)
    assert [one.offset for one in found] == list(range(10, 20))
    told = [what for what, which in listener.heard if which]
    assert told == ["assigned", "lost", "assigned"]


def test_brokers_that_are_down_are_not_forgotten() -> None:
    """Forgotten is what two statistics in a row do not know."""
    known = KnownBrokers()
    none = '{"brokers": {"GroupCoordinator": {"source": "logical", "state": "UP"}}}'
    for statistics, forgotten in (
        (none, False),
        ('{"brokers": {"a:1/1": {"source": "learned", "state": "DOWN"}}}', False),
        (none, False),
        (none, True),
        ('{"brokers": {"a:1/bootstrap": {"source": "configured", "state": "INIT"}}}', False),
    ):
        known.heard(statistics)
        assert known.forgotten is forgotten
