"""Both sides as they are read from Kafka: where each topic partition begins, and whether it is read
to its end. The state is the offset store; what Kafka knows of us is a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import CdcArchiveError, OffsetGap
from cdc_archive.source.message import Message
from cdc_archive.source.source import NO_FACTS, Source, TopicFacts
from cdc_archive.watch import findings
from cdc_archive.watch.findings import Findings
from cdc_archive.watch.streams import Stream, Streams

_log = structlog.get_logger(__name__)

Ends = Mapping[TopicPartition, tuple[int, int]]
"""Of each topic partition the incarnation, and the offset where its log ended."""


class Reading:
    """Reads the topics; the listener of its source.

    Args:
        source: a member of a group of its own, subscribed to both sides.
        streams: how far each topic partition has come.
        found: told of what was deleted before it was read.
        published: names of the topics of the published log; all others hold changes.
        now_us: the time, microseconds.
        wants: whether a topic is subscribed to: one that was may be in the state still.
        has_changes: whether any topic holds changes.
    """

    def __init__(
        self,
        source: Source,
        streams: Streams,
        found: Findings,
        published: Collection[str],
        now_us: Callable[[], int],
        wants: Callable[[str], bool],
        *,
        has_changes: bool = True,
    ) -> None:
        self._source = source
        self._streams = streams
        self._found = found
        self._published = frozenset(published)
        self._now_us = now_us
        self._wants = wants
        self._has_changes = has_changes
        self._gone: set[str] = set()
        self._owned: set[TopicPartition] = set()
        self._counts: dict[str, int] = {}

    def has(self, *, published: bool) -> bool:
        """Whether there is such a side."""
        return bool(self._published) if published else self._has_changes

    def open(self) -> None:
        """Join; see `Source.open` for what it raises."""
        self._source.open(self)

    def close(self) -> None:
        """Leave."""
        self._source.close()

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See the port: each begins where the state ends."""
        facts = {topic: self._facts(topic) for topic in sorted({one.topic for one in partitions})}
        self._counts |= {
            topic: one.partitions for topic, one in facts.items() if one.partitions is not None
        }
        self._owned |= set(partitions)
        self._gone -= facts.keys()
        return {one: self._begin(one, facts[one.topic].id) for one in partitions}

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """See the port: it goes on where it was, if it comes back."""
        self._owned -= set(partitions)

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """See the port."""
        self._owned -= set(partitions)

    def poll(self, timeout_s: float) -> Sequence[tuple[Message, Stream]]:
        """The next messages, each with its stream."""
        try:
            messages = self._source.poll(timeout_s)
        except OffsetGap:
            self._begin_again()
            return ()
        return [(one, self._took(one)) for one in messages]

    def _took(self, message: Message) -> Stream:
        stream = self._streams.of(message.topic_partition)
        stream.read = message.offset + 1
        if stream.lost:
            stream.lost = False
            if message.timestamp > 0:
                stream.whole_since_us = min(stream.whole_since_us, message.timestamp * 1000)
        return stream

    def _begin(self, partition: TopicPartition, topic_id: str | None) -> int:
        """The offset to begin at; what is no longer there is found."""
        stream, held = self._streams.of(partition), self._source.log_range(partition)
        made_anew = None not in (topic_id, stream.topic_id) and topic_id != stream.topic_id
        stream.topic_id = topic_id or stream.topic_id
        wanted = stream.read
        if wanted is None or made_anew or not held.start <= wanted <= held.end:
            if wanted is not None:
                self._tell_gap(partition, wanted, held, made_anew=made_anew)
                stream.incarnation += made_anew or wanted > held.end
            if wanted is not None or held.start > 0:
                stream.lost, stream.whole_since_us = True, self._now_us()
            stream.read = held.start
        assert stream.read is not None
        return stream.read

    def _tell_gap(
        self, partition: TopicPartition, wanted: int, held: OffsetRange, *, made_anew: bool
    ) -> None:
        anew = made_anew or wanted > held.end
        told = "the topic was made anew" if anew else f"offsets up to {held.start} were deleted"
        place = f"{partition}@{wanted}"
        _log.warning("messages were lost to the watch", place=place, why=told)
        self._found.find(findings.GAP, partition.topic, "", self._now_us(), place, told)

    def _begin_again(self) -> None:
        """A log no longer holds what is to be read next: find out which, and go on after it.

        All are sought: the poll that failed may have had messages of others, and they are lost.
        """
        for partition in sorted(self._owned):
            start = self._begin(partition, self._facts(partition.topic).id)
            self._source.seek(partition, start)

    def _facts(self, topic: str) -> TopicFacts:
        return self._told(topic) or NO_FACTS

    def _told(self, topic: str) -> TopicFacts | None:
        try:
            return self._source.topic_facts(topic)
        except CdcArchiveError as error:
            _log.warning("the broker tells nothing of a topic", topic=topic, error=str(error))
            return None

    def refresh(self) -> None:
        """Ask which of the topics that are not read are gone; a broker before 2.8 does not tell."""
        for topic in {one.topic for one in self.unread()} if self._counts else ():
            told = self._told(topic)
            if told is not None and told.partitions is None:
                _log.warning("a topic is gone", topic=topic)
                self._gone.add(topic)
                self._counts.pop(topic, None)

    @property
    def gone(self) -> list[str]:
        """Topics that were read, and are there no more."""
        return sorted(self._gone)

    def unread(self) -> list[TopicPartition]:
        """The topic partitions that somebody else has, or nobody; not those of topics gone."""
        named = {
            TopicPartition(topic, number)
            for topic, count in self._counts.items()
            for number in range(count)
        }
        known = {one.partition for one in self._streams if self._wants(one.partition.topic)}
        unread = (named | known) - self._owned
        return sorted(one for one in unread if one.topic not in self._gone)

    @property
    def progress(self) -> int:
        """A number that rises with each message that is read."""
        return sum(one.read or 0 for one in self._streams) + len(self._owned)

    def lags(self) -> dict[TopicPartition, int]:
        """Messages that are not read yet, by topic partition; those untold are left out."""
        told = {one: self._source.lag(one) for one in sorted(self._owned)}
        return {one: lag for one, lag in told.items() if lag is not None}

    @property
    def is_at_end(self) -> bool:
        """Whether nothing more is to be read now, as far as the client heard."""
        lags = self.lags()
        return lags.keys() == self._owned and not any(lags.values()) and not self.unread()

    def ends(self, *, published: bool, confirm: bool) -> Ends | None:
        """Where the logs of one side end; None: nobody tells, or not all of them are read here.

        Args:
            published: which side.
            confirm: ask the broker: what is about to be called missing must not be on its way.
                Else what the client heard last is believed.
        """
        own = [one for one in self._owned if (one.topic in self._published) == published]
        others = [one for one in self.unread() if (one.topic in self._published) == published]
        if not own or others:
            return None
        told = {one: self._end(one, confirm=confirm) for one in own}
        ends = {
            one: (self._streams.of(one).incarnation, end)
            for one, end in told.items()
            if end is not None
        }
        return ends if len(ends) == len(own) else None

    def _end(self, partition: TopicPartition, *, confirm: bool) -> int | None:
        lag = None if confirm else self._source.lag(partition)
        if lag is not None:
            return self._next(partition) + lag
        try:
            return self._source.log_range(partition).end
        except CdcArchiveError as error:
            _log.warning("the broker does not tell where a log ends", error=str(error))
            return None

    def _next(self, partition: TopicPartition) -> int:
        """The offset to be read next, beyond what is no message."""
        read = self._streams.of(partition).read or 0
        return max(read, self._source.position(partition) or 0)

    def is_past(self, ends: Ends, first_held: Mapping[int, int]) -> bool:
        """Whether all that logs held when they ended there was read, and nothing of it is held.

        Args:
            ends: as they were told.
            first_held: offset of the first change that is held, by number of the stream.
        """
        for partition, (incarnation, end) in ends.items():
            stream = self._streams.of(partition)
            done = first_held.get(stream.number, self._next(partition))
            is_there = stream.incarnation == incarnation and partition.topic not in self._gone
            if is_there and done < end:
                return False
        return True

    def whole_since_us(self, *, published: bool) -> int:
        """Event time from which on one side is whole."""
        sides = (
            one for one in self._streams if (one.partition.topic in self._published) == published
        )
        return max((one.whole_since_us for one in sides), default=0)

    def save(self, first_held: Mapping[int, int]) -> None:
        """Write how far the state goes.

        Args:
            first_held: offset of the first change that is held, by number of the stream.
        """
        for one in self._streams:
            one.next_offset = first_held.get(one.number, one.read)
        self._streams.save()

    def hint(self) -> None:
        """Tell Kafka how far the state goes, for lag displays."""
        self._source.commit(
            {
                one.partition: one.next_offset
                for one in self._streams
                if one.next_offset is not None and one.partition in self._owned
            }
        )
