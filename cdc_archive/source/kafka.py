"""A member of a Kafka consumer group by kafka-python, the default client.

Rebalances reach our listener by kafka_rebalance.py.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kafka import OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import CdcArchiveError, OffsetGap, SourceDenied, SourceUnreachable
from cdc_archive.source.helping import Helping
from cdc_archive.source.kafka_fetched import consumer_of_messages
from cdc_archive.source.kafka_parked import remind
from cdc_archive.source.kafka_rebalance import ANSWER_MS, Bridge
from cdc_archive.source.kafka_settings import consumer_settings
from cdc_archive.source.kafka_topics import TopicAsker
from cdc_archive.source.message import Message
from cdc_archive.source.missing_topics import refuse_missing
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.out_of_range import out_of_range
from cdc_archive.source.reachable import overheard, require_reachable, within
from cdc_archive.source.refusal import login_refused, why_refused
from cdc_archive.source.source import NO_FACTS, AssignmentListener, TopicFacts
from cdc_archive.source.tls_files import require_usable_files

_log = logging.getLogger(__name__)

_DENIED: Final = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.IllegalSaslStateError,
)
_DROPPED: Final = (kafka_errors.KafkaConnectionError,)
_JOIN_S: Final = 1.0
_CLOSE_MS: Final = 5_000


class KafkaSource:
    """See the port, source/source.py.

    Args:
        options: how to reach the cluster and what to read.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._consumer: Any = None
        self._topics = TopicAsker(consumer_settings(options))
        self._bridge: Bridge | None = None
        self._hints: dict[KafkaPartition, OffsetAndMetadata] = {}
        self._told_hints: dict[KafkaPartition, OffsetAndMetadata] = {}
        self._telling = False
        self._helping = Helping(options.max_poll_records, options.max_poll_bytes)

    def open(self, listener: AssignmentListener) -> None:
        """See the port."""
        options = self._options
        require_usable_files(options)
        require_reachable(options.bootstrap_servers, options.connect_timeout_s)
        with overheard("kafka") as heard:
            try:
                self._subscribe(listener)
            except (kafka_errors.KafkaError, OSError, ValueError) as error:
                if isinstance(error.__cause__, CdcArchiveError):
                    raise error.__cause__ from None
                causes = [one for one in heard if isinstance(one, (*_DENIED, ssl.SSLError))]
                dropped = [one for one in heard if isinstance(one, _DROPPED)]
                told = why_refused(options) or self._told(causes[-1] if causes else error)
                if dropped and isinstance(told, SourceUnreachable):
                    told = self._drops_us()
                self.close()  # or it would go on trying, and logging
                raise told from None

    def _subscribe(self, listener: AssignmentListener) -> None:
        options = self._options
        self._consumer = consumer_of_messages(consumer_settings(options))
        patience, bootstrap = options.connect_timeout_s, self._consumer.bootstrap
        if not within(patience + 1, lambda: bootstrap(timeout_ms=patience * 1000)):
            raise kafka_errors.KafkaTimeoutError("no broker let us in")
        refuse_missing(options.topics, self._consumer.topics())
        self._bridge = Bridge(self._consumer, listener)
        if options.topic_pattern is None:
            self._consumer.subscribe(topics=options.topics, listener=self._bridge)
        else:
            pattern = f"^(?:{options.topic_pattern})$"
            self._tell_if_nothing_matches(pattern)
            self._consumer.subscribe(pattern=pattern, listener=self._bridge)

    def _tell_if_nothing_matches(self, pattern: str) -> None:
        if not any(re.match(pattern, topic) for topic in self._consumer.topics()):
            _log.warning("no topic matches kafka.topic_pattern yet: %s", pattern)

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """See the port. With a topic pattern, an empty poll takes a second at least.

        For before it joins the group again, kafka-python asks for metadata within the time of one
        poll: on a slow machine a shorter one would give up each time, and never join.
        """
        self._tell_hints()
        remind(self._consumer)
        patience = timeout_s if self._options.topic_pattern is None else max(timeout_s, _JOIN_S)
        try:
            found = self._consumer.poll(int(patience * 1000), self._helping.messages)
        except kafka_errors.OffsetOutOfRangeError as error:
            ((partition, offset),) = list(error.args[0].items())[:1]
            ours = TopicPartition(*partition)
            raise out_of_range(ours, offset, self.log_range(ours)) from None
        except kafka_errors.LogTruncationError as error:
            raise OffsetGap(
                f"the log was cut back: {error}",
                "The topic was made anew or lost data; see `cdc-archive gap --help`.",
            ) from None
        except kafka_errors.KafkaError as error:
            if isinstance(error.__cause__, CdcArchiveError):
                raise error.__cause__ from None
            if isinstance(error, kafka_errors.RetriableError):
                _log.warning("poll failed, trying again: %r", error)
                return ()
            raise self._told(error) from None
        messages = [one for of_partition in found.values() for one in of_partition]
        self._helping.had(messages)
        return messages

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See the port. A partition that is being given up is left alone."""
        theirs = KafkaPartition(*partition)
        if theirs in self._consumer.assignment():
            self._consumer.seek(theirs, offset)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See the port."""
        self._consumer.pause(*self._assigned(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See the port."""
        self._consumer.resume(*self._assigned(partitions))

    def _assigned(self, partitions: Iterable[TopicPartition]) -> list[KafkaPartition]:
        assigned = self._consumer.assignment()
        wanted = (KafkaPartition(*partition) for partition in partitions)
        return [partition for partition in wanted if partition in assigned]

    def log_range(self, partition: TopicPartition) -> OffsetRange:
        """See the port."""
        theirs = KafkaPartition(*partition)
        try:
            first = self._consumer.beginning_offsets([theirs], timeout_ms=ANSWER_MS)[theirs]
            end = self._consumer.end_offsets([theirs], timeout_ms=ANSWER_MS)[theirs]
        except kafka_errors.KafkaError as error:
            raise self._told(error) from None
        return OffsetRange(first, end)

    def topic_facts(self, topic: str) -> TopicFacts:
        """See the port. Told by a connection of its own."""
        return self._topics.facts(topic) if self._options.has_topic_ids else NO_FACTS

    def position(self, partition: TopicPartition) -> int | None:
        """See the port."""
        theirs = KafkaPartition(*partition)
        if theirs not in self._consumer.assignment():
            return None
        try:
            position: int | None = self._consumer.position(theirs, timeout_ms=ANSWER_MS)
        except kafka_errors.KafkaError:
            return None
        return position

    def lag(self, partition: TopicPartition) -> int | None:
        """See the port."""
        theirs = KafkaPartition(*partition)
        if theirs not in self._consumer.assignment():
            return None
        end, position = self._consumer.highwater(theirs), self.position(partition)
        return None if end is None or position is None else max(0, end - position)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port. Told with the next poll, all partitions in one request."""
        for partition, offset in offsets.items():
            self._hints[KafkaPartition(*partition)] = OffsetAndMetadata(offset, "", -1)

    def _tell_hints(self) -> None:
        assigned = self._consumer.assignment()
        self._hints = {one: self._hints[one] for one in self._hints if one in assigned}
        news = {
            partition: offset
            for partition, offset in self._hints.items()
            if partition in assigned and self._told_hints.get(partition) != offset
        }
        if news and not self._telling:
            self._telling = True
            self._told_hints |= news
            try:
                self._consumer.commit_async(news, callback=self._hints_told)
            except kafka_errors.KafkaError as error:
                self._hints_told(news, error)

    def _hints_told(self, offsets: dict[KafkaPartition, OffsetAndMetadata], answer: object) -> None:
        self._telling = False
        if isinstance(answer, Exception):
            for partition in offsets:
                self._told_hints.pop(partition, None)
            _log.warning("committing offsets to Kafka failed (a hint only): %r", answer)

    @property
    def exhausted(self) -> bool:
        """See the port: a broker's log never ends."""
        return False

    def close(self) -> None:
        """See the port."""
        self._topics.close()
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        if self._bridge is not None:
            self._bridge.closed = True
        try:
            hints = {p: o for p, o in self._hints.items() if p in consumer.assignment()}
            if hints:
                consumer.commit(hints, timeout_ms=_CLOSE_MS)
        except kafka_errors.KafkaError as error:
            _log.warning("committing offsets to Kafka failed (a hint only): %r", error)
        try:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        except kafka_errors.KafkaError as error:
            _log.warning("leaving the group failed: %r", error)

    def _drops_us(self) -> SourceDenied:
        return SourceDenied(
            f"Kafka refused access: {self._options.servers} takes connections and drops them",
            "Check that kafka.security_protocol and kafka.sasl_mechanism are what the port wants.",
        )

    def _told(self, error: BaseException) -> CdcArchiveError:
        servers = self._options.servers
        if isinstance(error.__cause__, CdcArchiveError):
            return error.__cause__
        if isinstance(error, kafka_errors.SaslAuthenticationFailedError):
            return login_refused(self._options, servers)
        if isinstance(error, _DENIED):
            return SourceDenied(f"Kafka at {servers} refused access: {_short(error)}")
        if isinstance(error, ssl.SSLError | kafka_errors.KafkaConfigurationError | ValueError):
            return SourceDenied(f"Kafka at {servers}: {_short(error)}")
        return SourceUnreachable(f"Kafka at {servers} does not answer: {_short(error)}")


def _short(error: BaseException) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__
