"""A topic under load, its archive, the workers that serve it, and the comparison at the end."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka.admin import AdminClient, NewTopic

from infra.local import parts
from support.independent import committed_to, fingerprint, read_archive, restored
from support.real_stack import RealStack, wait_until
from support.torture.folder import FolderBucket
from support.torture.life import Life, stop
from support.torture.load import Load
from support.torture.witness import Witness

CLIENTS = ("kafka-python", "librdkafka")
STATIC = {"CDC_ARCHIVE_KAFKA__GROUP_INSTANCE_ID": "a"}
"""A static member comes back in place of the dead one, without waiting for its session to end."""
TESTS = Path(__file__).parents[2]
WORKER = (sys.executable, "-m", "cdc_archive", "--verbose", "worker")


class Lane:
    """One topic with its load and workers.

    Args:
        stack: the servers.
        folder: for logs.
        client: which Kafka client the workers use.
        partitions: of the topic.
        seed: of the load.
        per_second: messages, about.
        s3: a plain client that reaches the store directly; None: the stack's.
        root: the archive lies in a folder of this one, not in a bucket.
        settings: of the workers, in addition.
    """

    def __init__(
        self,
        stack: RealStack,
        folder: Path,
        client: str,
        *,
        partitions: int = 3,
        seed: int = 4,
        per_second: int = 600,
        s3: Any = None,
        root: Path | None = None,
        **settings: str,
    ) -> None:
        self.topic = f"torture-{secrets.token_hex(4)}"
        admin = AdminClient({"bootstrap.servers": stack.kafka})
        admin.create_topics([NewTopic(self.topic, partitions, 1)])[self.topic].result(20)
        self.client, self._folder = client, folder
        self._settings = stack.environment | _settings(self.topic, client) | settings
        self._s3 = stack.s3() if s3 is None else s3
        if root is not None:
            self._lie_in(root)
        self.lives: list[Life] = []
        self.begun = time.monotonic()
        self.witness = Witness(self._s3, parts.BUCKET, self.topic)
        self.load = Load(stack.kafka, self.topic, partitions, seed, per_second)

    def _lie_in(self, root: Path) -> None:
        (root / self.topic).mkdir()
        self._s3 = FolderBucket(root)
        store = {name for name in self._settings if name.startswith("CDC_ARCHIVE_STORE__")}
        for name in store:
            del self._settings[name]
        self._settings["CDC_ARCHIVE_STORE__URL"] = str(root / self.topic)

    def start(self, name: str = "a", command: Sequence[str] = WORKER, **settings: str) -> Life:
        """Begin a worker's life; `name` is that of its log."""
        environment = os.environ | self._settings | settings
        environment["PYTHONPATH"] = str(TESTS)  # for runners that stand beside the tests
        log = self._folder / f"{self.topic}-{name}.log"
        life = Life(command, environment, log)
        self.lives.append(life)
        return life

    def start_again_and_again(self) -> Life:
        """As a supervisor does: until a start gets through to the store."""
        for _ in range(20):
            life = self.start()
            if not life.refused(10):
                return life
        raise AssertionError(f"none of 20 starts got through\n{life.log()[-1000:]}")

    def archived(self) -> int:
        """How many offsets the chains account for."""
        return sum(self._ends().values())

    def _ends(self) -> dict[tuple[str, int], int]:
        with suppress(BotoCoreError, ClientError):  # down for now
            return committed_to(self._s3, parts.BUCKET, self.topic)
        return {}

    def commits(self) -> list[dict[str, Any]]:
        """All commits that stand in the archive."""
        prefix = f"{self.topic}/commits/"
        keys = [
            found["Key"]
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=parts.BUCKET, Prefix=prefix
            )
            for found in page.get("Contents", ())
        ]
        bodies = (self._s3.get_object(Bucket=parts.BUCKET, Key=key)["Body"] for key in keys)
        return [json.loads(body.read()) for body in bodies]

    def stands(self) -> str:
        """How far load, archive and worker are, for the message of a failure."""
        life = self.lives[-1]
        return (
            f"{self.topic} ({self.client}): {self.load.told()}; archived {self._ends()}; "
            f"the worker {'runs' if life.process.poll() is None else 'ended'}\n{life.log()[-3000:]}"
        )

    def settle(self, seconds: float = 60) -> None:
        """Wait until all that was acknowledged is archived; the load has ended."""
        ends = self.load.ends()
        wait_until(lambda: self._ends() == ends, lambda: f"to settle: {self.stands()}", seconds)

    def verify(self) -> int:
        """produced == archived, and no object was ever changed; how many messages there were."""
        self.witness.stop()
        archive = read_archive(self._s3, parts.BUCKET, self.topic)
        kept = {place: [restored(one) for one in records] for place, records in archive.items()}
        sent = {place: sorted(some) for place, some in self.load.acknowledged.items()}
        assert {p: len(some) for p, some in kept.items()} == {p: len(s) for p, s in sent.items()}
        assert {p: fingerprint(some) for p, some in kept.items()} == {
            p: fingerprint(some) for p, some in sent.items()
        }
        return self.load.count

    def close(self) -> None:
        """Leave nothing running."""
        self.load._stop.set()
        self.witness._stop.set()
        for life in self.lives:
            life.end()


def go_on(*wanted: Lane, more: int = 500, seconds: float = 60) -> None:
    """Wait until each archive has grown: the workers do their work."""
    goals = [(lane, lane.archived() + more) for lane in wanted]
    for lane, goal in goals:
        wait_until(
            lambda lane=lane, goal=goal: lane.archived() >= goal,
            lambda lane=lane, goal=goal: f"to go on to {goal:,}: {lane.stands()}",
            seconds,
        )


def _settings(topic: str, client: str) -> dict[str, str]:
    return {
        "CDC_ARCHIVE_STORE__URL": f"s3://{parts.BUCKET}/{topic}",
        "CDC_ARCHIVE_STORE__READ_TIMEOUT_SECONDS": "5",
        "CDC_ARCHIVE_KAFKA__TOPICS": topic,
        "CDC_ARCHIVE_KAFKA__GROUP_ID": topic,
        "CDC_ARCHIVE_KAFKA__CLIENT": client,
        "CDC_ARCHIVE_KAFKA__SESSION_TIMEOUT_MS": "3000",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.5",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_RECORDS": "2000",
        "CDC_ARCHIVE_WORKER__POLL_SECONDS": "0.1",
        "CDC_ARCHIVE_WORKER__HTTP_PORT": "-1",
    }


@contextmanager
def lanes(*wanted: Lane) -> Iterator[tuple[Lane, ...]]:
    """Runs lanes side by side; at the end they settle, their workers stop, and all is compared."""
    try:
        yield wanted
        for lane in wanted:
            lane.load.stop()
        for lane in wanted:
            lane.settle()
        stop(*(life for lane in wanted for life in lane.lives if life.process.poll() is None))
        for lane in wanted:
            count, seconds = lane.verify(), time.monotonic() - lane.begun
            print(
                f"{lane.client}: {count} messages produced == archived, {len(lane.lives)} lives, "
                f"{len(lane.witness.seen)} objects looked at {lane.witness.looks} times, "
                f"{seconds:.1f} s"
            )
    finally:
        for lane in wanted:
            lane.close()
