"""The history of a row out of an archive in memory, of hand-made messages."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.audit.mapping import Mapping
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.replay import row_history
from cdc_archive.replay.catalog import Catalog
from cdc_archive.replay.row_history import Asked, RowHistory
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits
from support.replayed import OPENAI
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

EVERYTHING = Asked()


def numbered(log: Iterable[Message]) -> Iterator[Message]:
    """Messages with the offsets that they get in the order in which they are given."""
    offsets = Counter[TopicPartition]()
    for message in log:
        place = TopicPartition(message.topic, message.partition)
        yield message._replace(offset=offsets[place])
        offsets[place] += 1


def history_of(
    log: Iterable[Message],
    *key: str,
    asked: Asked = EVERYTHING,
    rules: Mapping = OPENAI,
    form: FileFormat = FileFormat(),  # noqa: B008  # a frozen value
) -> RowHistory:
    """The history of a row of table lab.app.t; a file holds a few records."""
    store, source = MemoryStore(), SimulatedSource(numbered(log), batch=3)
    Workshop(source, store, Limits(commit_records=3), form=form).run()
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        catalog = Catalog(ArchiveReader(store), database)
        return row_history.of_row(catalog, "lab.app.t", AskedKey(key), rules, asked)
