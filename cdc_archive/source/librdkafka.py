"""A member of a Kafka consumer group by confluent-kafka (librdkafka): a third of the CPU.

Optional: `pip install 'cdc-archive[librdkafka]'`. Rebalance callbacks run inside `poll`, on the
polling thread.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from operator import methodcaller
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.changelog.record import Headers
from cdc_archive.errors import CdcArchiveError, SourceDamaged, SourceDenied, SourceUnreachable
from cdc_archive.source.helping import Helping
from cdc_archive.source.librdkafka_brokers import KnownBrokers
from cdc_archive.source.librdkafka_damage import unreadable
from cdc_archive.source.librdkafka_settings import consumer_settings
from cdc_archive.source.librdkafka_topics import TopicAsker
from cdc_archive.source.message import NO_TIMESTAMP, Message, ends, message_of
from cdc_archive.source.missing_topics import refuse_missing
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.out_of_range import out_of_range
from cdc_archive.source.raw_headers import RawHeaders
from cdc_archive.source.reachable import overheard
from cdc_archive.source.refusal import login_refused, why_refused
from cdc_archive.source.source import NO_FACTS, AssignmentListener, TopicFacts
from cdc_archive.source.tls_files import require_usable_files

_log = logging.getLogger(__name__)

_DENIED: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001  # librdkafka's names for local errors
        KafkaError._SSL,  # noqa: SLF001
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
_GONE: Final = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
)
_ANSWER_S: Final = 10.0
_headers_of: Final = methodcaller("headers")
"""Not called as a method: for a name that is not UTF-8 confluent-kafka gives a result *and* sets an
error, which the interpreter's fast path of a method call does not look for; it then surfaces
anywhere, or crashes."""


class LibrdkafkaSource:
    """See the port, source/source.py.

    Args:
        options: how to reach the cluster and what to read.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._listener: AssignmentListener = _Deaf()
        self._consumer: Any = None
        self._topics = TopicAsker(consumer_settings(options, _log))
        self._denied: KafkaError | None = None
        self._damage: SourceDamaged | None = None
        self._brokers = KnownBrokers()
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._raw_headers = RawHeaders(options)
        self._gathered: list[Message] = []
        self._helping = Helping(options.max_poll_records, options.max_poll_bytes)

    def open(self, listener: AssignmentListener) -> None:
        """See the port."""
        options = self._options
        self._listener = listener
        require_usable_files(options)
        with overheard(__name__):
            try:
                self._consumer = self._new_consumer()
                metadata = self._consumer.list_topics(timeout=options.connect_timeout_s)
            except KafkaException as error:
                if self._consumer is not None:
                    self._consumer.poll(0.1)  # so that the reason is told to error_cb
                told = why_refused(options) or self._told(error.args[0])
                self.close()  # or it would go on trying, and logging
                raise told from None
        refuse_missing(options.topics, metadata.topics)
        self._subscribe()

    def _new_consumer(self) -> Any:
        self._brokers = KnownBrokers()
        told = {"error_cb": self._on_error} | self._brokers.settings
        return Consumer(consumer_settings(self._options, _log) | told)

    def _subscribe(self) -> None:
        topics = list(self._options.topics) or [f"^({self._options.topic_pattern})$"]
        self._consumer.subscribe(
            topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def _begin_anew(self) -> None:
        """By a client that has the bootstrap list again. What was ours may be another's by now."""
        _log.warning("all brokers of Kafka were forgotten: joining the group again")
        lost = sorted(self._positions)
        self._positions.clear()
        listener, self._listener = self._listener, _Deaf()
        self._consumer.close()
        self._listener = listener
        listener.on_lost(lost)
        self._consumer = self._new_consumer()
        self._subscribe()

    @property
    def _cooperative(self) -> bool:
        return self._options.assignment == "cooperative-sticky"

    def _assigned(self, consumer: Any, partitions: list[KafkaPartition]) -> None:
        ours = sorted(TopicPartition(p.topic, p.partition) for p in partitions)
        starts = dict(self._listener.on_assigned(ours)) if ours else {}
        for partition in ours:
            if partition not in starts:
                starts[partition] = self.log_range(partition).start
        self._positions |= starts
        theirs = [KafkaPartition(*partition, offset) for partition, offset in starts.items()]
        if self._cooperative:
            consumer.incremental_assign(theirs)
        else:
            consumer.assign(theirs)

    def _revoked(self, consumer: Any, partitions: list[KafkaPartition]) -> None:
        self._give_up(consumer, partitions, self._listener.on_revoked)

    def _lost(self, consumer: Any, partitions: list[KafkaPartition]) -> None:
        self._give_up(consumer, partitions, self._listener.on_lost)

    def _give_up(self, consumer: Any, partitions: list[KafkaPartition], tell: Any) -> None:
        ours = sorted(TopicPartition(p.topic, p.partition) for p in partitions)
        for partition in ours:
            self._positions.pop(partition, None)  # from here on it is neither sought nor paused
        self._gathered = [m for m in self._gathered if m.topic_partition not in ours]
        try:
            tell(ours)
        finally:
            if self._cooperative:
                consumer.incremental_unassign(partitions)
            else:
                consumer.unassign()

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """See the port. Waits for one message, then takes what is there, up to `max_poll_bytes`."""
        if self._damage is not None:
            raise self._damage
        if self._brokers.forgotten:
            self._begin_anew()
        options, self._gathered = self._options, []
        size = self._gather(1, timeout_s)
        while size and size < options.max_poll_bytes and self._damage is None:
            room = options.max_poll_records - len(self._gathered)
            more = self._gather(min(room, self._helping.messages), 0) if room > 0 else 0
            if not more:
                break
            size += more
        gathered, self._gathered = self._gathered, []
        return gathered

    def _gather(self, most: int, timeout_s: float) -> int:
        try:
            found = self._consumer.consume(most, timeout_s)
        except KafkaException as error:
            raise self._told(error.args[0]) from None
        self._refuse_if_denied()
        messages = self._messages(found)
        self._positions |= ends(messages)
        self._pass_ends()
        self._gathered += messages
        return self._helping.had(messages)

    def _pass_ends(self) -> None:
        """An end lies after what is no message there; it may come in front of messages, too."""
        for partition, end in self._ends.items():
            if partition in self._positions:
                self._positions[partition] = max(end, self._positions[partition])
        self._ends.clear()

    def _messages(self, found: Iterable[Any]) -> list[Message]:
        """Those that are no errors, up to damage, which the next poll tells. Equal headers that
        follow one another are one object.
        """
        messages, known = [], _Known([], ())
        for record in found:
            problem = record.error()
            if problem is not None:
                self._tell(problem, record)
                if self._damage is not None:
                    break
                continue
            try:
                theirs = _headers_of(record) or []
            except (UnicodeDecodeError, SystemError):  # the latter if it is not the last header
                known = _Known([], ())
                headers = self._raw_headers_of(record)
            else:
                if theirs != known.theirs:
                    known = _Known(theirs, tuple(theirs))
                headers = known.ours
            kind, timestamp = record.timestamp()
            messages.append(
                message_of(
                    (
                        record.topic(),
                        record.partition(),
                        record.offset(),
                        timestamp,
                        kind - 1 if kind else NO_TIMESTAMP,
                        record.key(),
                        record.value(),
                        headers,
                    )
                )
            )
        return messages

    def _raw_headers_of(self, record: Any) -> Headers:
        partition = TopicPartition(record.topic(), record.partition())
        return self._raw_headers.of(partition, record.offset())

    def _refuse_if_denied(self) -> None:
        """A broker that restarts breaks TLS off too: that alone is no refusal."""
        if self._denied is None:
            return
        refused = why_refused(self._options)
        if refused is None and self._denied.code() == KafkaError._SSL:  # noqa: SLF001
            self._denied = None
            return
        raise refused or self._told(self._denied)

    def _tell(self, error: KafkaError, record: Any) -> None:
        partition = TopicPartition(record.topic(), record.partition())
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            self._ends[partition] = record.offset()
            return
        if error.code() in _GONE:
            wanted = self._positions.get(partition, record.offset())
            raise out_of_range(partition, wanted, self.log_range(partition))
        position = self._positions.get(partition)
        if position is not None:  # else it is another's by now
            at = max(record.offset() or 0, position)  # what is told of a topic has no offset
            self._damage = unreadable(partition, at, error)
            if self._damage is not None:
                return
        if error.fatal() or error.code() in _DENIED:
            raise self._told(error)
        _log.warning("poll failed, trying again: %s", error)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in _DENIED:
            self._denied = error
        _log.warning("librdkafka: %s", error)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See the port. A partition that is being given up is left alone."""
        if partition in self._positions:
            self._positions[partition] = offset
            self._consumer.seek(KafkaPartition(*partition, offset))

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See the port."""
        self._consumer.pause(self._owned(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See the port."""
        self._consumer.resume(self._owned(partitions))

    def _owned(self, partitions: Iterable[TopicPartition]) -> list[KafkaPartition]:
        return [KafkaPartition(*one) for one in partitions if one in self._positions]

    def log_range(self, partition: TopicPartition) -> OffsetRange:
        """See the port."""
        try:
            low, high = self._consumer.get_watermark_offsets(
                KafkaPartition(*partition), timeout=_ANSWER_S
            )
        except KafkaException as error:
            raise self._told(error.args[0]) from None
        return OffsetRange(low, high)

    def topic_facts(self, topic: str) -> TopicFacts:
        """See the port. Told by a connection of its own."""
        return self._topics.facts(topic) if self._options.has_topic_ids else NO_FACTS

    def position(self, partition: TopicPartition) -> int | None:
        """See the port."""
        return self._positions.get(partition)

    def lag(self, partition: TopicPartition) -> int | None:
        """See the port."""
        position = self._positions.get(partition)
        if position is None:
            return None
        try:
            _, end = self._consumer.get_watermark_offsets(KafkaPartition(*partition), cached=True)
        except KafkaException:
            return None
        return None if end < 0 else max(0, end - position)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port."""
        theirs = [KafkaPartition(*partition, offset) for partition, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=theirs, asynchronous=True)
        except KafkaException as error:
            _log.warning("committing offsets to Kafka failed (a hint only): %s", error)

    @property
    def exhausted(self) -> bool:
        """See the port: a broker's log never ends."""
        return False

    def close(self) -> None:
        """See the port."""
        self._raw_headers.close()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._listener = _Deaf()
            consumer.close()

    def _told(self, error: KafkaError) -> CdcArchiveError:
        servers = self._options.servers
        known = self._denied or error
        if known.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001
            return login_refused(self._options, servers)
        if known.code() in _DENIED:
            return SourceDenied(f"Kafka at {servers} refused access: {known.str()}")
        return SourceUnreachable(f"Kafka at {servers} does not answer: {error.str()}")


class _Deaf:
    """Hears nothing: on closing, everything that should be committed has been."""

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {}

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        pass

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        pass


class _Known(NamedTuple):
    """Headers as confluent-kafka gives them, and as we keep them."""

    theirs: list[tuple[str, bytes | None]]
    ours: Headers
