"""kill -9, wrong settings, transactions, groups: against the real servers."""

from __future__ import annotations

import random
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.build import change
from support.independent import read_archive
from support.listening import Listener, poll_until
from support.real_stack import RealStack, stop_gracefully, wait_until

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.source import Source
from infra.local import parts

pytestmark = pytest.mark.e2e

Make = Callable[..., Source]
CLIENTS = {"kafka-python": KafkaSource, "librdkafka": LibrdkafkaSource}


def new_topic(stack: RealStack, partitions: int, name: str | None = None) -> str:
    name = name or f"t-{secrets.token_hex(4)}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(20)
    return name


def settings(topic: str, client: str) -> dict[str, str]:
    return {
        "CDC_ARCHIVE_STORE__URL": f"s3://archive/{topic}",
        "CDC_ARCHIVE_KAFKA__TOPICS": topic,
        "CDC_ARCHIVE_KAFKA__GROUP_ID": topic,
        "CDC_ARCHIVE_KAFKA__CLIENT": client,
        "CDC_ARCHIVE_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.3",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_RECORDS": "500",
        "CDC_ARCHIVE_WORKER__POLL_SECONDS": "0.1",
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_kill_9_at_any_moment_leaves_every_offset_once(
    stack: RealStack, tmp_path: Path, client: str
) -> None:
    """Killed again and again while messages come; then everything is there, once, as produced."""
    topic, log = new_topic(stack, 3), tmp_path / "worker.log"
    producer = Producer({"bootstrap.servers": stack.kafka, "linger.ms": 5})
    rng = random.Random(11)
    sent: dict[tuple[int, int], bytes] = {}
    number = 0
    for _ in range(8):
        worker = stack.worker(log, **settings(topic, client))
        end = time.monotonic() + rng.uniform(0.8, 3.5)
        while time.monotonic() < end:
            for _ in range(100):
                number += 1
                partition, value = number % 3, change(after={"n": number, "x": "y" * 300})
                offset = (number - 1) // 3 if partition else number // 3 - 1
                sent[partition, offset] = value
                producer.produce(topic, value, str(number), partition)
            producer.flush()
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    worker = stack.worker(log, **settings(topic, client))
    wait_until(lambda: _archived(stack, topic) == number, f"{number} messages", seconds=90)
    assert stop_gracefully(worker) == 0, log.read_text()[-3000:]
    archive = read_archive(stack.s3(), "archive", topic)
    kept = {
        (partition, record["offset"]): _value(record)
        for (_, partition), records in archive.items()
        for record in records
    }
    assert kept == sent


def _archived(stack: RealStack, topic: str) -> int:
    archive = read_archive(stack.s3(), "archive", topic)
    return sum(len(records) for records in archive.values())


def _value(record: dict) -> bytes:
    text = record["envelope"]
    for mark, part in zip(
        "\x01\x02\x03\x04", ("before", "after", "source", "transaction"), strict=True
    ):
        text = text.replace(mark, record[part] or "")
    return text.encode()


@pytest.mark.parametrize("client", CLIENTS)
def test_aborted_transactions_are_not_archived_and_their_offsets_are_accounted_for(
    stack: RealStack, tmp_path: Path, client: str
) -> None:
    """read_committed: what was aborted never happened; the chain says which offsets those were."""
    topic = new_topic(stack, 1)
    producer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": topic})
    producer.init_transactions(20)
    for n, commit in enumerate([True, False, True]):
        producer.begin_transaction()
        for m in range(3):
            producer.produce(topic, change(after={"n": n, "m": m}))
        producer.flush()
        (producer.commit_transaction if commit else producer.abort_transaction)(20)
    worker = stack.worker(tmp_path / "log", **settings(topic, client))
    wait_until(lambda: _archived(stack, topic) == 6, "6 messages")
    assert stop_gracefully(worker) == 0
    (records,) = read_archive(stack.s3(), "archive", topic).values()
    assert [record["offset"] for record in records] == [0, 1, 2, 8, 9, 10]


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"}, 5, "127.0.0.1:9"),
        ({"CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS": "no.such.host.invalid:9092"}, 5, "no.such.host"),
        ({"CDC_ARCHIVE_KAFKA__TOPICS": "no-such-topic"}, 7, "no-such-topic"),
        ({"CDC_ARCHIVE_STORE__URL": "s3://no-such-bucket/x"}, 11, "no-such-bucket"),
        ({"CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": "wrong-secret"}, 12, "store.secret_access_key"),
        ({"CDC_ARCHIVE_STORE__ACCESS_KEY_ID": "nobody"}, 12, "store.secret_access_key"),
        ({"CDC_ARCHIVE_STORE__ENDPOINT_URL": "http://127.0.0.1:9"}, 10, "127.0.0.1:9"),
        ({"CDC_ARCHIVE_STORE__URL": ""}, 3, "store.url"),
        ({"CDC_ARCHIVE_KAFKA__TOPIKS": "x"}, 3, "CDC_ARCHIVE_KAFKA__TOPICS"),
        ({"CDC_ARCHIVE_KAFKA__AUTO_OFFSET_RESET": "latest"}, 3, "auto_offset_reset"),
    ],
)
def test_a_wrong_setting_gives_one_message_and_its_exit_code(
    stack: RealStack, changed: dict[str, str], code: int, says: str
) -> None:
    """No traceback, no secret; the message says what to do."""
    topic = "wrong-settings"
    if topic not in AdminClient({"bootstrap.servers": stack.kafka}).list_topics(timeout=10).topics:
        new_topic(stack, 1, topic)
    given = settings(topic, "kafka-python") | {"CDC_ARCHIVE_KAFKA__CONNECT_TIMEOUT_SECONDS": "3"}
    for client in CLIENTS:
        done = stack.cli("worker", **(given | {"CDC_ARCHIVE_KAFKA__CLIENT": client} | changed))
        assert done.returncode == code, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert "wrong-secret" not in done.stderr
        assert done.stderr.count("error:") == 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"CDC_ARCHIVE_KAFKA__SASL_PASSWORD": "wr0ng-p4ssword"}, 6, "refused the login"),
        ({"CDC_ARCHIVE_KAFKA__SASL_MECHANISM": "SCRAM-SHA-256"}, 6, "it has PLAIN"),
        ({"CDC_ARCHIVE_KAFKA__SASL_PASSWORD": ""}, 3, "is empty"),
        ({}, 0, "partition assigned"),
    ],
    ids=["wrong password", "wrong mechanism", "empty password", "right"],
)
def test_logging_in_to_the_broker(
    stack: RealStack, tmp_path: Path, client: str, changed: dict[str, str], code: int, says: str
) -> None:
    """SASL: the right password works, a wrong one gives one message and no secret."""
    topic, log = new_topic(stack, 1), tmp_path / "log"
    given = settings(topic, client) | {
        "CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{stack.state.port('kafka-sasl')}",
        "CDC_ARCHIVE_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "CDC_ARCHIVE_KAFKA__SASL_MECHANISM": "PLAIN",
        "CDC_ARCHIVE_KAFKA__SASL_USERNAME": parts.SASL_USER,
        "CDC_ARCHIVE_KAFKA__SASL_PASSWORD": parts.SASL_PASSWORD,
        "CDC_ARCHIVE_KAFKA__CONNECT_TIMEOUT_SECONDS": "4",
    }
    worker = stack.worker(log, **(given | changed))
    if code == 0:
        wait_until(lambda: says in log.read_text(), "an assignment", seconds=30)
        assert stop_gracefully(worker) == 0
    else:
        assert worker.wait(60) == code, log.read_text()
    told = log.read_text()
    assert says in told
    assert "Traceback" not in told
    assert parts.SASL_PASSWORD not in told
    assert "wr0ng-p4ssword" not in told


@pytest.fixture(params=CLIENTS)
def make(request: pytest.FixtureRequest, stack: RealStack) -> Iterator[Make]:
    made: list[Source] = []

    def build(*topics: str, **options: object) -> Source:
        defaults = {
            "bootstrap_servers": (stack.kafka,),
            "group_id": f"g-{secrets.token_hex(4)}",
            "topics": topics,
            "session_timeout_ms": 6000,
        }
        source = CLIENTS[request.param](KafkaOptions(**(defaults | options)))
        made.append(source)
        return source

    yield build
    for source in made:
        source.close()


@pytest.mark.parametrize("assignment", ["cooperative-sticky", "range"])
def test_members_of_a_group_share_and_hand_over(
    stack: RealStack,
    make: Make,
    assignment: str,
) -> None:
    """Each partition has one owner; a revoke comes before the other member's assignment."""
    topic, group = new_topic(stack, 4), f"g-{secrets.token_hex(4)}"
    first, one = make(topic, group_id=group, assignment=assignment), Listener()
    first.open(one)
    poll_until(lambda _: len(one.owned) == 4, first)
    second, other = make(topic, group_id=group, assignment=assignment), Listener()
    second.open(other)
    poll_until(lambda _: len(one.owned) == len(other.owned) == 2, first, second, seconds=40)
    assert not one.owned & other.owned
    revoked = {p for what, partitions in one.heard if what == "revoked" for p in partitions}
    assert other.owned <= revoked
    second.close()
    poll_until(lambda _: len(one.owned) == 4, first, seconds=40)


def test_topics_that_match_the_pattern_are_read(stack: RealStack, make: Make) -> None:
    """Those that exist, and those that come later; the pattern must match the whole name."""
    prefix = f"p{secrets.token_hex(3)}"
    first = new_topic(stack, 1, f"{prefix}.a")
    new_topic(stack, 1, f"{prefix}.a.not")
    source, listener = make(topic_pattern=f"{prefix}\\.[ab]", metadata_max_age_ms=500), Listener()
    source.open(listener)
    poll_until(lambda _: len(listener.owned) == 1, source)
    later = new_topic(stack, 1, f"{prefix}.b")
    poll_until(lambda _: len(listener.owned) == 2, source, seconds=40)
    assert listener.owned == {TopicPartition(first, 0), TopicPartition(later, 0)}
