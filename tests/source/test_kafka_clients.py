"""Both Kafka clients keep the port's contract against a broker that speaks Kafka's protocol."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer
from support.build import HOUR_16_MS, changes, message
from support.listening import Listener, poll_until
from support.mock_broker import API_VERSION, PARTITIONS, MockBroker

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap, SourceUnreachable, StoreBusy, TopicMissing
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.message import Message
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.source import Source

Make = Callable[..., Source]


@pytest.fixture(params=[KafkaSource, LibrdkafkaSource], ids=["kafka-python", "librdkafka"])
def make(request: pytest.FixtureRequest, broker: MockBroker) -> Iterator[Make]:
    """Makes sources of one client, and closes them."""
    made: list[Source] = []

    def build(*topics: str, **options: object) -> Source:
        defaults = {
            "bootstrap_servers": (broker.servers,),
            "group_id": f"g-{secrets.token_hex(4)}",
            "topics": topics,
            "api_version": API_VERSION,
            "session_timeout_ms": 6000,
            "connect_timeout_s": 5.0,
        }
        source = request.param(KafkaOptions(**(defaults | options)))
        made.append(source)
        return source

    yield build
    for source in made:
        source.close()


def opened(source: Source, **starts: int) -> Listener:
    listener = Listener()
    source.open(listener)
    return listener


ODD = [
    message(None, key=None, headers=()),
    message(b"", key=b"", headers=(("h", b"1"), ("h", b"2"), ("", b""), ("null", None))),
    message(b"\xff\x00", key=b"\xff", timestamp=HOUR_16_MS),
]


def test_messages_come_as_they_were_written(broker: MockBroker, make: Make) -> None:
    """Null and empty stay apart, headers keep order and repetition, times are in ms."""
    topic = broker.topic()
    sent = [one._replace(topic=topic, offset=n) for n, one in enumerate(ODD)]
    broker.produce(sent)
    source = make(topic)
    opened(source)
    assert poll_until(lambda found: len(found) >= 3, source) == sent


def test_a_partition_starts_where_the_listener_says(broker: MockBroker, make: Make) -> None:
    """The archive is the offset store."""
    topic = broker.topic()
    broker.produce(one._replace(topic=topic) for one in changes(10))
    source = make(topic)
    source.open(Listener({TopicPartition(topic, 0): 7}))
    found = poll_until(lambda found: len(found) >= 3, source)
    assert [one.offset for one in found] == [7, 8, 9]


def test_the_range_and_the_lag_are_told(broker: MockBroker, make: Make) -> None:
    """Lag is 0 once everything is read."""
    topic = broker.topic()
    broker.produce(one._replace(topic=topic) for one in changes(10))
    source = make(topic)
    opened(source)
    poll_until(lambda found: len(found) == 10, source)
    partition = TopicPartition(topic, 0)
    assert source.log_range(partition) == OffsetRange(0, 10)
    deadline = time.monotonic() + 10
    while source.lag(partition) != 0 and time.monotonic() < deadline:
        source.poll(0.1)
    assert source.lag(partition) == 0


def test_several_partitions_are_read_in_order_each(broker: MockBroker, make: Make) -> None:
    """Order is kept within a partition."""
    topic = broker.topic()
    log = [one._replace(topic=topic, partition=n % 3) for n, one in enumerate(changes(300))]
    broker.produce(log)
    source = make(topic)
    opened(source)
    found = poll_until(lambda found: len(found) >= 300, source)
    for partition in range(3):
        offsets = [one.offset for one in found if one.partition == partition]
        assert offsets == list(range(100))


def test_a_paused_partition_is_silent_until_resumed(broker: MockBroker, make: Make) -> None:
    """The others go on."""
    topic = broker.topic()
    broker.produce(one._replace(topic=topic, partition=n % 2) for n, one in enumerate(changes(8)))
    source = make(topic)
    listener = opened(source)
    held = TopicPartition(topic, 0)
    early = poll_until(lambda found: len(listener.owned) == PARTITIONS, source)
    source.pause([held])
    source.seek(held, 0)
    rest = poll_until(lambda found: sum(one.partition == 1 for one in early + found) == 4, source)
    assert all(one.partition == 1 for one in rest)
    source.resume([held])
    again = poll_until(lambda found: len(found) >= 4, source)
    assert [one.offset for one in again if one.partition == 0] == [0, 1, 2, 3]


def test_seek_goes_back(broker: MockBroker, make: Make) -> None:
    """A fenced worker reads again from the head."""
    topic = broker.topic()
    broker.produce(one._replace(topic=topic) for one in changes(6))
    source = make(topic)
    opened(source)
    poll_until(lambda found: len(found) == 6, source)
    source.seek(TopicPartition(topic, 0), 4)
    found = poll_until(lambda found: len(found) >= 2, source)
    assert [one.offset for one in found] == [4, 5]


def test_an_offset_beyond_the_end_is_a_gap(broker: MockBroker, make: Make) -> None:
    """The topic was made anew: nothing is read as if nothing had happened."""
    topic = broker.topic()
    broker.produce(one._replace(topic=topic) for one in changes(3))
    source = make(topic)
    source.open(Listener({TopicPartition(topic, 0): 50}))
    with pytest.raises(OffsetGap, match=r"offset 50 .* ends at 3"):
        poll_until(lambda found: False, source)


def test_a_missing_topic_is_named_with_its_neighbour(broker: MockBroker, make: Make) -> None:
    """And it is not created by asking."""
    topic = broker.topic(name=f"pg.app.invoices-{secrets.token_hex(3)}")
    source = make(topic.replace("invoices", "invioces"))
    with pytest.raises(TopicMissing, match=f"did you mean {topic}"):
        source.open(Listener())
    with pytest.raises(TopicMissing):
        make(topic.replace("invoices", "invioces")).open(Listener())


def test_a_broker_that_is_not_there_is_told_in_time(make: Make) -> None:
    """With its address."""
    start = time.monotonic()
    for api_version in (API_VERSION, None):
        source = make(
            "t",
            bootstrap_servers=("127.0.0.1:9",),
            connect_timeout_s=1.0,
            api_version=api_version,
        )
        with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:9"):
            source.open(Listener())
    assert time.monotonic() - start < 15


def test_an_empty_poll_returns_in_time(broker: MockBroker, make: Make) -> None:
    """Timers of the worker run though nothing comes."""
    source = make(broker.topic())
    listener = opened(source)
    poll_until(lambda found: bool(listener.owned), source)
    start = time.monotonic()
    assert list(source.poll(0.2)) == []
    assert time.monotonic() - start < 2


def test_a_listeners_error_comes_out_of_poll(
    broker: MockBroker, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not vanish in the client, and is not told by it with a traceback either."""

    class Failing(Listener):
        def on_assigned(self, partitions: object) -> dict:
            raise StoreBusy("the archive cannot be read")

    source = make(broker.topic())
    source.open(Failing())
    with pytest.raises(StoreBusy, match="cannot be read"):
        poll_until(lambda found: False, source)
    assert [record for record in caplog.records if record.exc_info] == []


def test_committed_offsets_are_seen_by_the_group(broker: MockBroker, make: Make) -> None:
    """As a hint, for lag displays."""
    from confluent_kafka import Consumer
    from confluent_kafka import TopicPartition as KafkaPartition

    topic, group = broker.topic(), f"g-{secrets.token_hex(4)}"
    broker.produce(one._replace(topic=topic) for one in changes(5))
    source = make(topic, group_id=group)
    opened(source)
    poll_until(lambda found: len(found) == 5, source)
    source.commit({TopicPartition(topic, 0): 5})
    source.poll(0.5)
    source.close()
    display = Consumer({"bootstrap.servers": broker.servers, "group.id": group})
    (committed,) = display.committed([KafkaPartition(topic, 0)], timeout=10)
    display.close()
    assert committed.offset == 5


def test_passwords_do_not_show() -> None:
    """Not in a log line either."""
    options = KafkaOptions(("b",), "g", sasl_password="marker", ssl_key_password="marker")
    assert "marker" not in repr(options)


def test_a_message_is_a_value(broker: MockBroker) -> None:
    """Two equal messages are equal."""
    assert message(b"x") == Message(*message(b"x"))


def test_topics_are_read_however_their_producers_compress(broker: MockBroker, make: Make) -> None:
    """Every codec of Kafka."""
    topic = broker.topic()
    values = []
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({"bootstrap.servers": broker.servers, "compression.type": codec})
        values.append(codec.encode() * 50)
        producer.produce(topic, values[-1], partition=0)
        assert producer.flush(10) == 0
    source = make(topic)
    opened(source)
    found = poll_until(lambda found: len(found) >= len(values), source)
    assert [one.value for one in found] == values
