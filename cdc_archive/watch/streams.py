"""The topic partitions that are followed, and how far: kept in the state, not in Kafka.

Two offsets of each: the next one to be read, and the next one that is not yet part of the state. A
change is held for a moment before it is followed, so after a restart what was held is read again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import parsed
from cdc_archive.history.order import Reached

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS streams (
  number INTEGER PRIMARY KEY, topic TEXT, part INTEGER, incarnation INTEGER, next INTEGER,
  topic_id TEXT, whole_since INTEGER, reached BLOB, UNIQUE (topic, part));
"""


@dataclass
class Stream:
    """One topic partition.

    `next_offset`: the first that is not yet part of the state; None: nothing of it is. `read`: the
    next one to be read. `incarnation` counts how often the log began anew. `whole_since_us`: event
    time from which on nothing of it was lost unread. `lost`: something was, just before `read`.
    `reached`: the last change that was read, `followed`: that is part of the state.
    """

    number: int
    partition: TopicPartition
    next_offset: int | None = None
    read: int | None = None
    incarnation: int = 0
    topic_id: str | None = None
    whole_since_us: int = 0
    lost: bool = False
    reached: Reached = field(default_factory=Reached)
    followed: Reached = field(default_factory=Reached)


class Streams:
    """All of them.

    Args:
        database: with `SCHEMA`; in a transaction.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known = {one.partition: one for one in self._load()}

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._known.values())

    def of(self, partition: TopicPartition) -> Stream:
        """The stream of a topic partition, made if need be."""
        known = self._known.get(partition)
        if known is None:
            known = self._known[partition] = Stream(len(self._known), partition)
        return known

    def save(self) -> None:
        """Write how far each has come."""
        self._database.executemany(
            "INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.number,
                    *one.partition,
                    one.incarnation,
                    one.next_offset,
                    one.topic_id,
                    one.whole_since_us,
                    exact_json(list(one.followed)),
                )
                for one in self._known.values()
            ],
        )

    def _load(self) -> Iterator[Stream]:
        rows = self._database.execute("SELECT * FROM streams ORDER BY number")
        for number, topic, part, incarnation, offset, topic_id, whole_since_us, reached in rows:
            known = _reached(*parsed(reached))
            yield Stream(
                number,
                TopicPartition(topic, part),
                offset,
                offset,
                incarnation,
                topic_id,
                whole_since_us,
                reached=known,
                followed=known,
            )


def _reached(connector: str | None, at: list[int] | None, latest: list[int], time: int) -> Reached:
    a, b, c = latest
    return Reached(connector, None if at is None else (at[0], at[1]), (a, b, c), time)
