"""Messages produced without pause, and an account of what the broker acknowledged."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from typing import NamedTuple

from confluent_kafka import Message, Producer

from support.build import HOUR_16_MS, change

Headers = tuple[tuple[str, bytes | None], ...]


class Sent(NamedTuple):
    """What was acknowledged, as it was handed to the broker."""

    offset: int
    key: bytes | None
    headers: Headers
    value: bytes | None


class Load:
    """Produces changes, tombstones and messages that cannot be decoded, seeded.

    Args:
        servers: the broker, reached directly.
        topic: where to.
        partitions: how many it has.
        seed: makes the same messages again.
        per_second: how many, about.
    """

    def __init__(
        self, servers: str, topic: str, partitions: int, seed: int, per_second: int
    ) -> None:
        self.acknowledged: dict[tuple[str, int], list[Sent]] = defaultdict(list)
        self._topic, self._partitions, self._per_second = topic, partitions, per_second
        self._rng = random.Random(seed)
        # Idempotent: what the broker took before it fell is not taken twice when it is back.
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "message.timeout.ms": 0,
                "linger.ms": 5,
                "error_cb": lambda _: None,
                "log_level": 0,
                "reconnect.backoff.max.ms": 500,
                "topic.metadata.refresh.interval.ms": 2000,
            }
        )
        self._number = 0
        self._failed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load-{topic}", daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """Messages acknowledged so far."""
        return sum(len(sent) for sent in self.acknowledged.values())

    def ends(self) -> dict[tuple[str, int], int]:
        """The offset after the last one acknowledged, of each topic partition."""
        return {place: max(sent).offset + 1 for place, sent in self.acknowledged.items()}

    def told(self) -> str:
        """How far it is, for the message of a failure."""
        return f"produced {self._number:,}, acknowledged {self.count:,} up to {self.ends()}"

    def stop(self) -> None:
        """Stop and wait until everything is acknowledged."""
        self._stop.set()
        self._thread.join()
        left = self._producer.flush(60)
        assert left == 0, f"{left} messages were never acknowledged"
        assert not self._failed, self._failed[:3]

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for _ in range(max(1, self._per_second // 20)):
                self._produce()
            self._producer.poll(0)

    def _produce(self) -> None:
        self._number += 1
        key, headers, value = message(self._rng, self._number)

        def told(error: object, about: Message) -> None:
            if error is not None:
                self._failed.append(str(error))
                return
            place = (about.topic(), about.partition())
            self.acknowledged[place].append(Sent(about.offset(), key, headers, value))

        self._producer.produce(
            self._topic, value, key, self._number % self._partitions, told, headers=list(headers)
        )


def message(rng: random.Random, number: int) -> tuple[bytes | None, Headers, bytes | None]:
    """Key, headers and value of the n-th message: event time moves on, some are late, some odd."""
    key = None if rng.random() < 0.02 else b'{"id":%d}' % (number % 97)
    headers: Headers = ()
    if rng.random() < 0.1:
        headers = (("n", str(number).encode()), ("n", None), ("名", rng.randbytes(5)))
    kind = rng.random()
    if kind < 0.02:
        return key, headers, None
    if kind < 0.025:
        return key, headers, b"\xff" + rng.randbytes(20)
    late_s = 1800 if rng.random() < 0.005 else 0
    return (
        key,
        headers,
        change(
            op="u" if number % 97 else "c",
            ts_ms=HOUR_16_MS + (number // 5 - late_s) * 1000,
            table=f"t{number % 2}",
            before={"n": number - 97, "x": "é" * rng.randrange(20)},
            after={"n": number, "x": "y" * rng.randrange(300)},
        ),
    )
