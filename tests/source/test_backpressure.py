"""Both Kafka clients can be held back: by bytes, and by pausing partitions in the middle."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
from support.build import changes
from support.listening import Listener
from support.mock_broker import API_VERSION, PARTITIONS, MockBroker

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.helping import Helping
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.message import Message
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.source import Source

Make = Callable[..., Source]


@pytest.fixture(params=[KafkaSource, LibrdkafkaSource], ids=["kafka-python", "librdkafka"])
def reading(request: pytest.FixtureRequest, broker: MockBroker) -> Iterator[Make]:
    """Opens a source of one client on a topic, and closes it."""
    made: list[Source] = []

    def build(topic: str, **options: object) -> Source:
        defaults = {
            "bootstrap_servers": (broker.servers,),
            "group_id": f"g-{secrets.token_hex(4)}",
            "topics": (topic,),
            "api_version": API_VERSION,
            "session_timeout_ms": 6000,
            "connect_timeout_s": 5.0,
        }
        source = request.param(KafkaOptions(**(defaults | options)))
        made.append(source)
        source.open(Listener({TopicPartition(topic, number): 0 for number in range(PARTITIONS)}))
        return source

    yield build
    for source in made:
        source.close()


def polled(source: Source, times: int = 200) -> list[Message]:
    """The first messages that come."""
    for _ in range(times):
        if found := [*source.poll(0.1)]:
            return found
    raise AssertionError("nothing came")


def test_a_partition_paused_in_the_middle_of_a_fetch_goes_on(
    broker: MockBroker, reading: Make
) -> None:
    """What the client had fetched and not handed over comes after `resume`, once and in order."""
    topic = broker.topic()
    for partition in range(PARTITIONS):
        broker.produce(m._replace(topic=topic) for m in changes(40, partition=partition))
    everything = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    source = reading(topic, max_poll_records=7)
    offsets: dict[int, list[int]] = defaultdict(list)
    while sum(map(len, offsets.values())) < 40 * PARTITIONS:
        found = polled(source)
        for one in found:
            offsets[one.partition].append(one.offset)
        source.pause(everything)
        assert source.poll(0.01) == []
        source.resume(everything[::2])
        for one in source.poll(0.05):
            offsets[one.partition].append(one.offset)
        source.resume(everything)
    assert offsets == {number: [*range(40)] for number in range(PARTITIONS)}


def test_a_poll_hands_over_about_so_many_bytes(broker: MockBroker, reading: Make) -> None:
    """Once sizes are known; messages are counted by what they weigh, not by how many there are."""
    topic = broker.topic()
    large = [m._replace(topic=topic, value=secrets.token_bytes(20_000)) for m in changes(60)]
    broker.produce(large)
    source = reading(topic, max_poll_bytes=60_000)
    sizes: list[int] = []
    while sum(sizes) < 60:
        sizes.append(len(polled(source)))
    assert max(sizes) <= 4


def test_a_helping_grows_and_shrinks_with_the_messages() -> None:
    """By fours up to the most; at once down to what fits, never below one; large ones fade."""
    helping = Helping(2_000, 1_000_000)
    small = changes(50)
    asked = [helping.messages]
    for _ in range(6):
        helping.had(small)
        asked.append(helping.messages)
    assert asked[:5] == [1, 4, 16, 64, 256]
    assert 512 < asked[6] <= 2_000
    helping.had([small[0]._replace(value=bytes(400_000))] * 3)
    assert helping.messages == 2
    helping.had([small[0]._replace(value=bytes(4_000_000))])
    assert helping.messages == 1
    assert helping.had([]) == 0
    assert helping.messages == 1
    for _ in range(20):
        helping.had(small)
    assert helping.messages == 2
