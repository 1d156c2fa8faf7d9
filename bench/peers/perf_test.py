"""A floor: Kafka's own consumer only reads, by `kafka-consumer-perf-test`."""

from __future__ import annotations

import subprocess
import time

from bench.filled import Topic
from bench.stack import ended, servers
from bench.subjects import Cost
from infra.local.artifacts import kafka_tools

_HEAP = "-Xmx512M"
"""As bin/kafka-consumer-perf-test.sh gives it."""


def only_read(topic: Topic) -> Cost:
    """Read a topic; what the JVM takes for one message is its start-up."""
    start_up = _run(topic, 1)
    whole = _run(topic, topic.events)
    return Cost(
        whole.wall_s - start_up.wall_s,
        whole.cpu_s - start_up.cpu_s,
        start_up.cpu_s,
        whole.peak_bytes,
    )


def _run(topic: Topic, count: int) -> Cost:
    tool = ["java", _HEAP, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
    tool += ["-cp", f"{kafka_tools()}/*", "org.apache.kafka.tools.ConsumerPerformance"]
    what = ["--topic", topic.name, "--num-records", str(count)]
    began = time.monotonic()
    process = subprocess.Popen(
        [*tool, "--bootstrap-server", servers()["bootstrap.servers"], *what],
        stdout=subprocess.DEVNULL,
    )
    cpu_s, peak = ended(process)
    assert process.returncode == 0, "kafka-consumer-perf-test failed"
    return Cost(time.monotonic() - began, cpu_s, 0.0, peak)
