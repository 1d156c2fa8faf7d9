"""One soak: fill a topic, let a worker archive it, watch what it holds, and count what it kept."""

from __future__ import annotations

import random
import secrets
import signal
import time
from collections import Counter
from typing import Any, NamedTuple

import boto3
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench import archived
from bench.proxy import Proxy
from bench.scenarios import MIB, Scenario
from bench.watched import Sample, Watched
from infra.local import parts
from infra.local.__main__ import settings as stack_settings
from infra.local.processes import StateFolder

MARGIN_BYTES = 150 * MIB
"""What a worker may hold beside its budget."""
_EVERY_S = 0.2
_PATIENCE_S = 600
_SETTLED_S = 3
_MESSAGE_BYTES = 16 * MIB


class Soaked(NamedTuple):
    """What a soak measured."""

    samples: list[Sample]
    requests: Counter[str]
    kept: archived.Archived
    sent: dict[int, int]
    sent_bytes: int
    seconds: float

    @property
    def peak_rss(self) -> int:
        """The most that any worker held, by the kernel's own mark."""
        return max(sample.peak for sample in self.samples)

    @property
    def baseline_rss(self) -> int:
        """What a worker held before its first message."""
        return self.samples[0].rss

    @property
    def cpu_s(self) -> float:
        """CPU of all workers."""
        last = {sample.worker: sample.cpu for sample in self.samples}
        return sum(last.values())


class Soak:
    """A scenario on a running stack.

    Args:
        state: of a stack whose broker and S3 server run.
        scenario: what to do.
        client: `kafka-python` or `librdkafka`.
        budget: archive.memory_budget_bytes.
        seconds: how long messages keep coming after the backlog, as fast as they are archived.
        seed: decides the load.
        overrides: further settings, by variable name without CDC_ARCHIVE_.
    """

    def __init__(
        self,
        state: StateFolder,
        scenario: Scenario,
        client: str,
        budget: int,
        seconds: float = 0.0,
        seed: int = 1,
        overrides: dict[str, str] | None = None,
    ) -> None:
        self._state, self._scenario, self._seconds = state, scenario, seconds
        self._topic = f"soak-{secrets.token_hex(4)}"
        self._events = scenario.make(random.Random(seed))
        self._sent: Counter[int] = Counter()
        self._sent_bytes = 0
        self._samples: list[Sample] = []
        self._workers = 0
        self._proxy = Proxy(state.port("s3"), scenario.store_bytes_per_s)
        self._folder = state.folder("soak") / self._topic
        self._folder.mkdir(parents=True)
        self.log = self._folder / "worker.log"
        self._settings = self._worker_settings(client, budget, overrides or {})
        self._budget = budget

    def run(self) -> Soaked:
        """Do it.

        Raises:
            AssertionError: what was archived is not what was sent, or the worker died.
        """
        producer = self._filled_topic()
        self._began = time.monotonic()
        worker = self._start()
        try:
            if self._scenario.crash:
                self._watch(worker, self._under_pressure)
                worker.kill()
                worker = self._start()
            self._keep_sending(producer, worker)
            self._watch(worker, self._all_read)
            worker.process.send_signal(signal.SIGTERM)
            self._watch(worker, lambda _: False, ends=True)
            assert worker.process.wait(60) == 0, self.log.read_text()[-3000:]
            seconds = time.monotonic() - self._began
        finally:
            worker.end()
            self._proxy.close()
        kept = self._kept()
        assert kept.ends == dict(self._sent), f"sent {self._sent}, archived {kept.ends}"
        return Soaked(
            self._samples, self._proxy.requests, kept, dict(self._sent), self._sent_bytes, seconds
        )

    def _filled_topic(self) -> Producer:
        address = f"127.0.0.1:{self._state.port('kafka')}"
        servers: dict[str, str | int | float | bool] = {"bootstrap.servers": address}
        topic = NewTopic(
            self._topic,
            self._scenario.partitions,
            1,
            config={"max.message.bytes": str(_MESSAGE_BYTES), "retention.ms": "-1"},
        )
        admin = AdminClient(servers)
        admin.create_topics([topic])[self._topic].result(20)
        limits = {"message.max.bytes": _MESSAGE_BYTES, "queue.buffering.max.kbytes": 32 * 1024}
        producer = Producer(servers | limits | {"linger.ms": 20, "log_level": 0})
        self._send(producer, self._scenario.backlog_bytes)
        return producer

    def _send(self, producer: Producer, size: int) -> None:
        until = self._sent_bytes + size
        while self._sent_bytes < until:
            event = next(self._events)
            while True:
                try:
                    producer.produce(self._topic, event.value, event.key, event.partition)
                    break
                except BufferError:
                    producer.poll(0.1)
            self._sent[event.partition] += 1
            self._sent_bytes += len(event.value)
        producer.flush()

    def _keep_sending(self, producer: Producer, worker: Watched) -> None:
        began, before = time.monotonic(), self._sent.total()
        while (gone := time.monotonic() - began) < self._seconds:
            rate = self._scenario.events_per_s
            if not rate:
                self._send(producer, 4 * MIB)
                self._watch(worker, lambda now: now.lag < 40 * MIB // self._mean_size, 60)
                continue
            due = before + rate * gone - self._sent.total()
            self._send(producer, int(max(1.0, due) * self._mean_size))
            self._watch(worker, lambda _: True, 1)
            time.sleep(_EVERY_S)

    @property
    def _mean_size(self) -> int:
        return max(1, self._sent_bytes // max(1, self._sent.total()))

    def _start(self) -> Watched:
        self._workers += 1
        return Watched(self._settings, self.log, self._workers, self._began)

    def _watch(self, worker: Watched, done: Any, seconds: float = 0, *, ends: bool = False) -> None:
        deadline = time.monotonic() + (seconds or _PATIENCE_S)
        while time.monotonic() < deadline:
            if worker.process.poll() is not None:
                assert ends, f"the worker ended\n{self.log.read_text()[-3000:]}"
                return
            sample = worker.sample()
            if sample is not None:
                self._samples.append(sample)
                if done(sample):
                    return
            time.sleep(_EVERY_S)
        assert seconds, f"not done after {_PATIENCE_S} s\n{self.log.read_text()[-3000:]}"

    def _all_read(self, now: Sample) -> bool:
        if not self._scenario.crash:
            return now.messages == self._sent.total()
        ours = (one for one in self._samples if one.worker == now.worker)
        before = [one.messages for one in ours if now.at - one.at > _SETTLED_S]
        return now.lag == 0 and 0 < now.messages == max(before, default=0)

    def _under_pressure(self, now: Sample) -> bool:
        return now.paused == 1 or now.buffered > 0.9 * self._budget

    def _worker_settings(
        self, client: str, budget: int, overrides: dict[str, str]
    ) -> dict[str, str]:
        common = {
            "STORE__ENDPOINT_URL": f"http://127.0.0.1:{self._proxy.port}",
            "STORE__URL": f"s3://{parts.BUCKET}/{self._topic}",
            "KAFKA__TOPICS": self._topic,
            "KAFKA__GROUP_ID": self._topic,
            "KAFKA__CLIENT": client,
            "KAFKA__SESSION_TIMEOUT_MS": "6000",
            "ARCHIVE__MEMORY_BUDGET_BYTES": str(budget),
            "ARCHIVE__COMMIT_BYTES": str(min(budget, 64 * MIB)),
            "ARCHIVE__COMMIT_AGE_SECONDS": "200",
            "WORKER__SHUTDOWN_DEADLINE_SECONDS": "120",
            "WORKER__POLL_SECONDS": "0.2",
        }
        given = common | self._scenario.settings | overrides
        prefixed = {f"CDC_ARCHIVE_{name}": value for name, value in given.items()}
        settings = stack_settings(self._state) | prefixed
        if self._scenario.store != "file":
            return settings
        folder = self._folder / "archive"
        folder.mkdir()
        own = {name: value for name, value in settings.items() if "_STORE__" not in name}
        return own | {"CDC_ARCHIVE_STORE__URL": str(folder)}

    def _kept(self) -> archived.Archived:
        if self._scenario.store == "file":
            return archived.in_folder(self._folder / "archive")
        s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._state.port('s3')}",
            aws_access_key_id=parts.ACCESS_KEY,
            aws_secret_access_key=parts.SECRET_KEY,
            region_name="us-east-1",
        )
        try:
            return archived.in_bucket(s3, parts.BUCKET, self._topic)
        finally:
            s3.close()
