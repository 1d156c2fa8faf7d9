"""The least that the work can cost: reading a topic with librdkafka, and storing it unparsed.

`python -m bench.floors read|store TOPIC EVENTS` prints one line of JSON about itself.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from backports import zstd
from confluent_kafka import Consumer, TopicPartition

from bench.stack import bucket, peak_bytes, servers
from infra.local.parts import BUCKET

_BLOCK, _OBJECT = 65_536, 16 << 20
_HELPING = 2_000


def messages(topic: str, count: int) -> Iterator[list[Any]]:
    """All messages of a topic, some at a time."""
    settings = {
        "group.id": "floor",
        "enable.auto.commit": False,
        "fetch.queue.backoff.ms": 5,
        "fetch.max.bytes": 8 << 20,
        "queued.max.messages.kbytes": 16 << 10,
    }
    consumer = Consumer(servers() | settings)
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    seen = 0
    while seen < count:
        found = consumer.consume(_HELPING, 1)
        seen += len(found)
        yield found
    consumer.close()


def read(topic: str, count: int) -> int:
    """Only read."""
    return sum(len(found) for found in messages(topic, count)) * 0


def store(topic: str, count: int) -> int:
    """Read, compress in blocks, store in objects; nothing is looked into."""
    s3, block, size, made = bucket(), [b""], 0, bytearray()
    stored = objects = 0

    def put() -> None:
        nonlocal stored, objects
        s3.put_object(Bucket=BUCKET, Key=f"floor-{topic}/{time.time_ns()}", Body=bytes(made))
        stored, objects = stored + len(made), objects + 1
        made.clear()

    for found in messages(topic, count):
        for message in found:
            value = message.value()
            block.append(value)
            size += len(value)
            if size >= _BLOCK:
                made += zstd.compress(b"".join(block), 1)
                block, size = [], 0
        if len(made) >= _OBJECT:
            put()
    made += zstd.compress(b"".join(block), 1)
    put()
    return stored


def main() -> None:
    """Do it and tell what it cost."""
    what, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    began, start_up = time.monotonic(), time.process_time()
    stored = {"read": read, "store": store}[what](topic, count)
    told = {
        "wall_s": time.monotonic() - began,
        "start_up_s": start_up,
        "cpu_s": time.process_time() - start_up,
        "peak_bytes": peak_bytes("self"),
        "stored_bytes": stored,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
