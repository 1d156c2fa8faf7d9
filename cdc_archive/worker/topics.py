"""Whether offsets still mean what the archive takes them for: a topic that was made again has the
same name, other messages under the same offsets, and another id (KIP-516).

Asked when a partition is taken up, and again before each commit: an id that is the same then shows
that every message of the batch is of the topic that the chain belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from cdc_archive.archive.reader.chain import Head
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap, SourceBusy, SourceUnreachable
from cdc_archive.source.out_of_range import accept_command
from cdc_archive.source.source import Source, TopicFacts

_PAUSE_S: Final = 0.5


class Topics:
    """Asks the source about topics, with patience.

    Args:
        source: who knows.
        patience_s: how long no answer is put up with, seconds.
        monotonic: seconds.
        sleep: waits, seconds.
    """

    def __init__(
        self,
        source: Source,
        patience_s: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._source = source
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._sleep = sleep

    def facts(self, topic: str) -> TopicFacts:
        """What the cluster says of a topic now.

        Raises:
            SourceUnreachable: no broker answered in time.
        """
        deadline = self._monotonic() + self._patience_s
        while True:
            try:
                return self._source.topic_facts(topic)
            except SourceBusy as error:
                if self._monotonic() + _PAUSE_S > deadline:
                    raise SourceUnreachable(error.what) from None
            self._sleep(_PAUSE_S)

    def confirm(self, partition: TopicPartition, known: TopicFacts, end: int) -> None:
        """Fail unless the topic is still the one that a batch up to offset `end` was read from.

        Raises:
            OffsetGap: it was deleted and made again. Nothing of the batch may count.
        """
        if known.id is None:
            return
        now = self.facts(partition.topic)
        if now.id not in (None, known.id):
            raise OffsetGap(
                f"{partition}: the topic was deleted and made again while it was read (id "
                f"{known.id}, now {now.id}); what was read before offset {end} is not committed",
                "Start the worker again: it tells how to go on.",
            )


def require_same_topic(
    source: Source, heads: Mapping[TopicPartition, Head | None], facts: TopicFacts
) -> None:
    """Fail if chains belong to another topic of the same name.

    A chain that is new to us may do so too: the commit of a worker that read the old topic can
    arrive after the new one was taken up.

    Args:
        source: asked what the new log holds.
        heads: of partitions of one topic.
        facts: of the topic as it is now.

    Raises:
        OffsetGap: with a command for each partition (I4).
    """
    others = [
        (partition, head, source.log_range(partition))
        for partition, head in heads.items()
        if head is not None and None not in (facts.id, head.log.topic_id)
        if head.log.topic_id != facts.id
    ]
    if others:
        raise _made_again(others, facts)


def _made_again(
    heads: Iterable[tuple[TopicPartition, Head, OffsetRange]], facts: TopicFacts
) -> OffsetGap:
    told, commands = [], []
    for partition, head, held in heads:
        told.append(f"{partition} up to offset {head.next_offset}")
        guard = f"--topic-id {facts.id}"
        commands.append(f"    {accept_command(partition, head.next_offset, held.start, guard)}")
    return OffsetGap(
        f"the topic was deleted and made again (its id is now {facts.id}): the archive holds "
        f"{', '.join(told)} of the old one, and what came after that there is lost",
        "To record the loss in the archive and go on with the new topic:\n" + "\n".join(commands),
    )
