"""Losses that real servers bring about: the worker stops, and its own command records them."""

from __future__ import annotations

import os
import re
import shlex
import struct
import subprocess
import time
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from support.build import change
from support.independent import read_archive
from support.real_stack import RealStack, stop_gracefully, wait_until

pytestmark = pytest.mark.e2e

CLIENTS = ["kafka-python", "librdkafka"]
_BATCH = struct.Struct(">qi")
"""Its first offset, and how many bytes follow: https://kafka.apache.org/documentation/#recordbatch"""


class Topic:
    """A topic of its own archive, and a worker for it."""

    def __init__(self, stack: RealStack, client: str, name: str, folder: Path) -> None:
        self.stack, self.name, self.log = stack, name, folder / f"{name}.log"
        self.admin = AdminClient({"bootstrap.servers": stack.kafka})
        self.settings = {
            "CDC_ARCHIVE_STORE__URL": f"s3://archive/{name}",
            "CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": f"{name}(\\..*)?",
            "CDC_ARCHIVE_KAFKA__GROUP_ID": name,
            "CDC_ARCHIVE_KAFKA__CLIENT": client,
            "CDC_ARCHIVE_KAFKA__SESSION_TIMEOUT_MS": "6000",
            "CDC_ARCHIVE_KAFKA__METADATA_MAX_AGE_MS": "500",
            "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.3",
            "CDC_ARCHIVE_WORKER__POLL_SECONDS": "0.1",
        }

    def create(self) -> None:
        def created() -> bool:
            try:
                self.admin.create_topics([NewTopic(self.name, 1, 1)])[self.name].result(20)
            except Exception as error:
                assert "exists" in str(error)
                return False
            return True

        wait_until(created, "the old topic to be gone")

    def make_again(self) -> None:
        self.admin.delete_topics([self.name])[self.name].result(20)
        self.create()

    def produce(self, count: int, partition: int = 0, mark: str = "x") -> None:
        producer = Producer({"bootstrap.servers": self.stack.kafka})
        for number in range(count):
            value = change(after={"n": number, "mark": mark})
            producer.produce(self.name, value, b"k", partition)
        assert producer.flush(20) == 0

    def delete_before(self, offset: int, partition: int = 0) -> None:
        place = TopicPartition(self.name, partition, offset)
        self.admin.delete_records([place])[place].result(20)

    def damage(self, offset: int) -> None:
        """Change one byte of a batch's records on the broker's disk."""
        (log,) = self.stack.state.root.rglob(f"{self.name}-0/00000000000000000000.log")
        with log.open("r+b") as file:
            while (head := file.read(_BATCH.size)) and (found := _BATCH.unpack(head))[0] < offset:
                file.seek(found[1], os.SEEK_CUR)
            file.seek(found[1] - 5, os.SEEK_CUR)
            (last,) = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([last ^ 1]))

    def start(self) -> subprocess.Popen[bytes]:
        return self.stack.worker(self.log, **self.settings)

    def archived(self) -> dict[tuple, list[int]]:
        found = read_archive(self.stack.s3(), "archive", self.name)
        return {place: [one["offset"] for one in records] for place, records in found.items()}

    def run_until(self, expected: dict[tuple, list[int]]) -> None:
        worker = self.start()
        wait_until(lambda: self.archived() == expected, f"{expected}", seconds=40)
        assert stop_gracefully(worker) == 0, self.log.read_text()[-3000:]

    def run_to_the_gap(self) -> str:
        worker = self.start()
        assert worker.wait(60) == 8, self.log.read_text()[-3000:]
        return self.log.read_text()

    def accept(self, **more: str) -> None:
        """Run the command that the worker's last message has, filled in."""
        told = self.log.read_text()
        for word, meant in more.items():
            told = told.replace(word, meant)
        *_, command = re.findall(r"^ +cdc-archive (gap accept .*)$", told, re.MULTILINE)
        words = ["storm" if word == "..." else word for word in shlex.split(command)]
        done = self.stack.cli(*words, **self.settings)
        assert done.returncode == 0, done.stderr
        assert "loss recorded" in done.stderr

    def gaps(self) -> list[str]:
        done = self.stack.cli("ls", "--by", "gap", "--json", **self.settings)
        return re.findall(r'"kind":"(\w+)"', done.stdout)


@pytest.fixture(params=CLIENTS)
def topic(request: pytest.FixtureRequest, stack: RealStack, tmp_path: Path) -> Topic:
    name = f"{request.node.originalname.removeprefix('test_')[:40]}-{request.param}"
    made = Topic(stack, request.param, name, tmp_path)
    made.create()
    return made


def test_retention_that_overtakes_the_worker(topic: Topic) -> None:
    """Deleted before it was read: recorded, then archived on."""
    topic.produce(3)
    topic.run_until({(topic.name, 0): [0, 1, 2]})
    topic.produce(6)
    topic.delete_before(7)
    assert "the log holds [7, 9)" in topic.run_to_the_gap()
    accept = ["gap", "accept", topic.name, "0", "--reason", "r", "--by", "b", "--from", "3", "--to"]
    assert topic.stack.cli(*accept, "8", **topic.settings).returncode == 2
    accept[2] = "no-such-topic"
    assert topic.stack.cli(*accept, "8", **topic.settings).returncode == 7
    topic.accept()
    topic.run_until({(topic.name, 0): [0, 1, 2, 7, 8]})
    assert topic.gaps() == ["deleted"]


def test_a_batch_that_the_brokers_disk_damaged(topic: Topic) -> None:
    """What came before it is archived; it is neither taken nor passed over until it is accepted."""
    for count in (3, 2, 4):
        topic.produce(count)
    topic.damage(3)
    assert "a damaged batch at offset 3" in topic.run_to_the_gap()
    assert topic.archived() == {(topic.name, 0): [0, 1, 2]}
    assert "a damaged batch at offset 3" in topic.run_to_the_gap()
    topic.accept(FIRST_OFFSET_AFTER_IT="5")
    topic.run_until({(topic.name, 0): [0, 1, 2, 5, 6, 7, 8]})
    assert topic.gaps() == ["deleted"]


def test_a_topic_made_again(topic: Topic) -> None:
    """Though it is longer than the old one, its messages are not taken for those awaited."""
    topic.produce(3)
    topic.run_until({(topic.name, 0): [0, 1, 2]})
    topic.make_again()
    topic.produce(5, mark="again")
    assert "deleted and made again" in topic.run_to_the_gap()
    topic.accept()
    topic.run_until({(topic.name, 0): [0, 1, 2], (topic.name, 0, 1): [*range(5)]})
    assert topic.gaps() == ["restarted"]


def test_a_topic_made_again_under_a_running_worker(topic: Topic) -> None:
    """Whatever the client makes of it, no message of the new topic gets into the old log."""
    topic.produce(3)
    worker = topic.start()
    wait_until(lambda: topic.archived() == {(topic.name, 0): [0, 1, 2]}, "three messages")
    topic.make_again()
    topic.produce(8, mark="again")
    wait_until(lambda: worker.poll() is not None, "the worker to stop", seconds=60)
    assert worker.returncode == 8, topic.log.read_text()[-3000:]
    assert topic.archived() == {(topic.name, 0): [0, 1, 2]}
    topic.run_to_the_gap()
    topic.accept()
    topic.run_until({(topic.name, 0): [0, 1, 2], (topic.name, 0, 1): [*range(8)]})


def test_a_partition_that_is_added(topic: Topic) -> None:
    """Read from its first offset; if that is gone already, it is a gap."""
    topic.produce(2)
    topic.run_until({(topic.name, 0): [0, 1]})
    topic.admin.create_partitions([NewPartitions(topic.name, 3)])[topic.name].result(20)
    wait_until(
        lambda: len(topic.admin.list_topics(topic.name, 10).topics[topic.name].partitions) == 3,
        "the partitions",
    )
    topic.produce(2, 1)
    topic.produce(5, 2)
    topic.delete_before(4, 2)
    assert "the log holds [4, 5)" in topic.run_to_the_gap()
    topic.accept()
    topic.run_until({(topic.name, 0): [0, 1], (topic.name, 1): [0, 1], (topic.name, 2): [4]})


def test_offsets_of_the_group_that_are_reset(topic: Topic) -> None:
    """The archive is the offset store: what Kafka says is not asked."""
    topic.produce(4)
    topic.run_until({(topic.name, 0): [0, 1, 2, 3]})
    for offset in (1, 4):
        place = ConsumerGroupTopicPartitions(topic.name, [TopicPartition(topic.name, 0, offset)])
        wait_until(lambda place=place: _altered(topic.admin, place), "the group to be empty")
        topic.produce(1)
        end = 5 if offset == 1 else 6
        topic.run_until({(topic.name, 0): [*range(end)]})
    assert topic.gaps() == []


def _altered(admin: AdminClient, place: ConsumerGroupTopicPartitions) -> bool:
    try:
        (future,) = admin.alter_consumer_group_offsets([place]).values()
        future.result(20)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(("client", "mode"), [(CLIENTS[0], "when_needed"), (CLIENTS[1], "no_data")])
def test_a_replication_slot_that_is_lost(
    stack: RealStack, tmp_path: Path, client: str, mode: str
) -> None:
    """Debezium begins anew, with a snapshot or without: no offset is missing, changes are."""
    name = f"lost{mode.replace('_', '')}"
    topic = Topic(stack, client, name, tmp_path)

    def insert(*numbers: int) -> None:
        for number in numbers:
            stack.psql(
                "INSERT INTO app.rate_limit (id, project_id, model) "
                f"VALUES ('{name}{number}', 'p', 'm')"
            )

    def seen(count: int) -> bool:
        (at,) = [
            len(records)
            for place, records in (topic.archived() or {("", 0): []}).items()
            if place[0] in ("", f"{name}.app.rate_limit")
        ] or [0]
        return at >= count

    stack.register(name, **{"snapshot.mode": mode, "table.include.list": "app.rate_limit"})
    worker = topic.start()
    before = int(stack.psql("SELECT count(*) FROM app.rate_limit")) if mode != "no_data" else 0
    insert(1, 2, 3)
    wait_until(lambda: seen(before + 3), "the first changes")
    assert stop_gracefully(worker) == 0
    stack.stop_connector(name)
    slot = f"slot_{name}"
    stack.psql(f"SELECT pg_drop_replication_slot('{slot}')")
    if mode == "no_data":
        stack.forget_offsets(name)
    insert(4, 5)
    stack.resume_connector(name)
    wait_until(
        lambda: (
            stack.psql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'") == "t"
        ),
        "the new slot",
    )
    time.sleep(1)
    insert(6, 7)
    told = topic.run_to_the_gap()
    assert "lost its replication slot or its offsets" in told
    topic.accept()
    worker = topic.start()
    wait_until(lambda: seen(before + (5 if mode == "no_data" else before + 10)), "what came after")
    assert stop_gracefully(worker) == 0, topic.log.read_text()[-3000:]
    assert set(topic.gaps()) == {"source"}
    stack.unregister(name)
