"""What connectors write: messages of many kinds, and what the archive must make of each."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from cdc_archive.source.message import CREATE_TIME, LOG_APPEND_TIME, NO_TIMESTAMP, Message
from simulation.scheduler import EPOCH

Place = tuple[str, str]
"""Date and hour, as in a path."""

UNKNOWN: Place = ("unknown", "unknown")
_SCHEMAS = (
    '{"type":"struct","fields":[{"type":"int32","field":"id"}],"name":"a.Envelope","version":1}',
    '{"type":"struct","name":"a.Envelope","version":2}',
)
_POISON = (
    (b"poison %d", "not_json"),
    (b"", "empty_value"),
    (b"\x00\x00\x00\x00\x07%d", "confluent_avro"),
    (b'["an array", %d]', "not_an_object"),
    (b'{"unmarked":%d}', "not_debezium"),
    (b'{"\xff":%d}', "invalid_utf8"),
    (b'{"before":null,"after":null,"source":{},"op":"x","n":%d}', "unknown_op"),
)


class Produced(NamedTuple):
    """A message and its place: `folder` is a table, or the topic in quarantine; `label` is its op
    or the reason why it is set aside; `value_schema` is the Connect schema that it carries.
    """

    message: Message
    kind: str
    folder: str
    hour: Place
    label: str
    value_schema: str | None = None


def hour_of(ms: int) -> Place:
    """The UTC hour of a time in ms."""
    when = datetime.fromtimestamp(ms // 1000, UTC)
    return (f"{when:%Y-%m-%d}", f"{when:%H}")


class Producer:
    """Makes messages; no two are the same.

    Args:
        rng: decides.
        late_hours: how far event times may lie behind.
        poison: probability of a message that cannot be decoded.
        wide: probability of a large row.
    """

    def __init__(self, rng: Random, late_hours: int, poison: float, wide: float) -> None:
        self._rng, self._late_hours, self._poison, self._wide = rng, late_hours, poison, wide
        self._count = 0

    def message(self, topic: str, partition: int, offset: int, now: float) -> Produced:
        """The next one; `now` is in seconds since the world began."""
        rng = self._rng
        self._count += 1
        ms = int((EPOCH + now) * 1000)
        draw = rng.random()
        kafka_ms, stamp = (-1, NO_TIMESTAMP) if draw < 0.01 else (ms + 7, LOG_APPEND_TIME)
        if draw > 0.5:
            stamp = CREATE_TIME
        headers: tuple[tuple[str, bytes | None], ...] = ()
        if rng.random() < 0.1:
            headers = (("h", b"%d" % self._count), ("h", None))
        key = None if rng.random() < 0.05 else b'{"id":%d}' % (self._count % 50)
        blank = Message(topic, partition, offset, kafka_ms, stamp, key, None, headers)
        draw = rng.random()
        if draw < self._poison:
            text, reason = rng.choice(_POISON)
            value = text % self._count if b"%" in text else text
            where = UNKNOWN if kafka_ms < 0 else hour_of(kafka_ms)
            return Produced(blank._replace(value=value), "quarantine", topic, where, reason)
        if draw > 0.9:
            where = UNKNOWN if kafka_ms < 0 else hour_of(kafka_ms)
            return Produced(blank, "changes", topic, where, "tombstone")
        return self._change(blank, ms, kafka_ms)

    def _change(self, blank: Message, ms: int, kafka_ms: int) -> Produced:
        rng, number = self._rng, self._count
        if self._late_hours and rng.random() < 0.3:
            ms -= rng.randrange(self._late_hours * 3_600_000)
        kind = rng.random()
        if kind < 0.05:
            text = (
                f'{{"status":"BEGIN","id":"{number}","event_count":null,"data_collections":null}}'
            )
            where = UNKNOWN if kafka_ms < 0 else hour_of(kafka_ms)
            value = blank._replace(value=text.encode())
            return Produced(value, "changes", blank.topic, where, "begin")
        op = rng.choice("ccuudr")
        table = f"t{rng.randrange(3)}"
        row = f'{{"id":{number},"v":"{"x" * 4000 if rng.random() < self._wide else "é"}"}}'
        source = f'{{"name":"pg","ts_ms":{ms},"db":"lab","schema":"app","table":"{table}"}}'
        before, after = (row, "null") if op == "d" else ("null", row)
        text = (
            f'{{"before":{before},"after":{after},"source":{source},"transaction":null,'
            f'"op":"{op}","ts_ms":{ms + 5}}}'
        )
        schema = None
        if kind < 0.15:
            text = f'{{ "op":"{op}", "new":[{number}], "source" : {source},"after":{after} }}'
        elif kind < 0.3:
            schema = rng.choice(_SCHEMAS)
            text = f'{{"schema":{schema},"payload":{text}}}'
        value = blank._replace(value=text.encode())
        return Produced(value, "changes", f"lab.app.{table}", hour_of(ms), op, schema)
