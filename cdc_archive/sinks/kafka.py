"""Events into a Kafka topic, by kafka-python's idempotent producer.

The key of a message is what its event is about, so that the events of one resource stay in order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from cdc_archive.errors import SourceUnreachable
from cdc_archive.sinks.marked import HEADER, evidence_id, resource
from cdc_archive.sinks.sink import Line
from cdc_archive.source.kafka_settings import producer_settings
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.reachable import require_reachable
from cdc_archive.source.refusal import why_refused
from cdc_archive.source.tls_files import require_usable_files

_UNACKNOWLEDGED: Final = 1_000
"""So many events are under way at most."""
_ANSWER_S: Final = 120.0


class KafkaSink:
    """See the port. An event counts as written when all in-sync replicas have it.

    Args:
        options: how to reach the cluster.
        topic: where events go; it must exist.
        mark: whether each message has a header with the id of its evidence.

    Raises:
        SourceUnreachable, SourceDenied: no broker takes the events.
    """

    def __init__(self, options: KafkaOptions, topic: str, *, mark: bool = False) -> None:
        self._options = options
        self._topic = topic
        self._mark = mark
        self._sent: list[Any] = []
        self.written = 0
        require_usable_files(options)
        require_reachable(options.bootstrap_servers, options.connect_timeout_s)
        try:
            self._producer = KafkaProducer(**producer_settings(options))
        except (KafkaError, OSError, ValueError) as error:
            raise self._told(error) from None

    def write(self, line: Line) -> None:
        """See the port."""
        about = resource(line)
        headers = [(HEADER, evidence_id(line).encode())] if self._mark else []
        try:
            sent = self._producer.send(
                self._topic,
                value=line.event,
                key=None if about is None else about.encode("utf-8", "surrogatepass"),
                headers=headers,
            )
        except (KafkaError, OSError) as error:
            raise self._told(error) from None
        self._sent.append(sent)
        if len(self._sent) >= _UNACKNOWLEDGED:
            self._settle()

    def close(self) -> None:
        """See the port: waits for the last acknowledgement."""
        self._settle()
        self._producer.close(timeout=_ANSWER_S)

    def abort(self) -> None:
        """See the port: what was acknowledged stays, and is no damage: the events are true."""
        with suppress(KafkaError):  # it tells what is still on its way, in place of why we stop
            self._producer.close(timeout=0)

    def _settle(self) -> None:
        try:
            self._producer.flush(_ANSWER_S)
            for sent in self._sent:
                sent.get(timeout=_ANSWER_S)
                self.written += 1
        except (KafkaError, OSError) as error:
            raise self._told(error) from None
        self._sent.clear()

    def _told(self, error: BaseException) -> Exception:
        return why_refused(self._options) or SourceUnreachable(
            f"Kafka at {self._options.servers} did not take all events for {self._topic}: "
            f"{error or type(error).__name__}",
            f"At least {self.written:,} were written. Run it again: none is written twice.",
        )
