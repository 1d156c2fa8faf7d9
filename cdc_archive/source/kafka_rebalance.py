"""Rebalance calls of kafka-python, passed on to our listener.

kafka-python 3 runs its I/O and the group's heartbeat on a thread of its own and calls rebalance
listeners there, while `poll` waits. Ours does I/O itself, so each call is done on a third thread
and awaited: heartbeats go on, and `poll` stays blocked, so nothing of ours runs beside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from kafka import AsyncConsumerRebalanceListener
from kafka import TopicPartition as KafkaPartition

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import CdcArchiveError
from cdc_archive.source.source import AssignmentListener


class _ToldByPoll(logging.Filter):
    """What our listener raises comes out of `poll`; the library need not tell it as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], CdcArchiveError))


logging.getLogger("kafka.coordinator.consumer").addFilter(_ToldByPoll())

ANSWER_MS: Final = 10_000
"""How long a question to the broker may take."""


class Bridge(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """Calls our listener off the client's I/O thread.

    Args:
        consumer: sought to where the listener says.
        listener: ours.
    """

    def __init__(self, consumer: Any, listener: AssignmentListener) -> None:
        self._consumer = consumer
        self._listener = listener
        self.closed = False

    async def on_partitions_assigned(self, assigned: set[KafkaPartition]) -> None:
        """New partitions, in addition to those held."""
        ours = _ours(assigned)

        def assign() -> None:
            starts = self._listener.on_assigned(ours)
            missing = [KafkaPartition(*p) for p in ours if p not in starts]
            if missing:
                first = self._consumer.beginning_offsets(missing, timeout_ms=ANSWER_MS)
                for partition, offset in first.items():
                    self._consumer.seek(partition, offset)
            for partition, offset in starts.items():
                self._consumer.seek(KafkaPartition(*partition), offset)

        await self._aside(assign)

    async def on_partitions_revoked(self, revoked: set[KafkaPartition]) -> None:
        """Partitions that are about to go."""
        await self._aside(lambda: self._listener.on_revoked(_ours(revoked)))

    async def on_partitions_lost(self, lost: set[KafkaPartition]) -> None:
        """Partitions that are gone."""
        await self._aside(lambda: self._listener.on_lost(_ours(lost)))

    async def _aside(self, work: Callable[[], None]) -> None:
        if self.closed:
            return
        failed: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # raised again below
                failed.append(error)

        thread = threading.Thread(target=run, name="cdc-archive-rebalance")
        thread.start()
        while thread.is_alive():
            await self._consumer._net.sleep(0.01)  # noqa: SLF001  # the only loop there is
        if failed:
            raise failed[0]


def _ours(partitions: set[KafkaPartition]) -> list[TopicPartition]:
    return sorted(TopicPartition(*partition) for partition in partitions)
