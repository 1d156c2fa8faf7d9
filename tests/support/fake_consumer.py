"""What librdkafka's consumer gives, written down: messages, and errors in their places."""

from __future__ import annotations

from confluent_kafka import KafkaError


class Record:
    """A message, or an error in its place."""

    def __init__(self, offset: int | None, code: int | None = None, partition: int = 0) -> None:
        self._offset, self._code, self._partition = offset, code, partition

    def error(self) -> KafkaError | None:
        return None if self._code is None else KafkaError(self._code)

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int | None:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1

    def key(self) -> None:
        return None

    value = headers = key


class Consumer:
    """Gives these, as many at a time as it is asked for."""

    def __init__(self, *records: Record) -> None:
        self._records = list(records)

    def consume(self, most: int, _timeout_s: float) -> list[Record]:
        found, self._records = self._records[:most], self._records[most:]
        return found
