"""Records what Debezium says of all acts: `PYTHONPATH=.:tests python tests/e2e/platform/record.py`.

Writes tests/captures/platform.jsonl.gz, for the tests that have no servers.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from support import platform_stack
from support.captures import FOLDER
from support.real_stack import RealStack

from infra.local.record_demo import dumped


def recorded(kafka: str) -> list[str]:
    """All messages of the connector's topics as JSON lines, once nothing more comes."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "record"})
    lines: list[tuple[int, str, int, str]] = []
    before = -1
    while before < len(lines):
        before = len(lines)
        lines.clear()
        topics = consumer.list_topics(timeout=10).topics  # a table's topic comes with its first row
        mine = [topic for topic in topics if topic.startswith("platform.")]
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in mine])
        while (message := consumer.poll(5)) is not None:
            lines.append(dumped(message))
    consumer.close()
    return [line for *_, line in sorted(lines)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = RealStack.start(Path(folder))
        try:
            platform_stack.prepare(stack)
            platform_stack.act(stack)
            lines = recorded(stack.kafka)
        finally:
            stack.stop()
    data = gzip.compress("".join(line + "\n" for line in lines).encode(), 9, mtime=0)
    (FOLDER / "platform.jsonl.gz").write_bytes(data)
    print(f"{len(lines)} messages, {len(data)} bytes")


if __name__ == "__main__":
    main()
