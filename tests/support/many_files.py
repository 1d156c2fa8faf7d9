"""A process that keeps 1,600 files open; prints MiB that it grew by, and MiB that it counts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cdc_archive.archive.writer import express
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli.heap import give_back
from cdc_archive.decode.decoder import Decoder
from cdc_archive.source.message import Message
from cdc_archive.worker.background import Background
from support.captures import messages
from support.lanes import later

HOURS, PARTITIONS, HELPING = 400, 4, 500
_START_US, _US_PER_HOUR = 1_771_516_800_000_000, 3_600_000_000


def _resident() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) >> 10 if found else 0


def _events(row: Message, partition: int, begin: int, end: int) -> list[Message]:
    """A helping: one change of each hour after the other."""
    made = []
    for offset in range(begin, end):
        value = later(row.value or b"", _START_US + offset % HOURS * _US_PER_HOUR)
        made.append(row._replace(topic="t", partition=partition, offset=offset, value=value))
    return made


def main(events: int) -> None:
    """Take so many changes."""
    give_back()
    row = next(one for one in messages("pg_jp") if one.value and b'"op":"u"' in one.value)
    beside = Background(2, "compress", 64).submit
    batches = [
        Batch(
            TopicPartition("t", number),
            0,
            Decoder().decode,
            FileFormat(),
            skip=False,
            beside=beside,
        )
        for number in range(PARTITIONS)
    ]
    before = _resident()
    for begin in range(0, events // PARTITIONS, HELPING // PARTITIONS):
        for number, batch in enumerate(batches):
            sent, at = _events(row, number, begin, begin + HELPING // PARTITIONS), 0
            while at < len(sent):
                at += len(batch.take_quickly(sent, at, 0.0))
                if at < len(sent):
                    batch.take(sent[at], 0.0)
                    at += 1
            batch.settle()
    print(_resident() - before, sum(batch.buffered_bytes for batch in batches) >> 20)


if __name__ == "__main__":
    if sys.argv[1] == "python":
        express.compiled = None
    main(int(sys.argv[2]))
