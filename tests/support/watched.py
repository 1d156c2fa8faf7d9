"""A watch over a broker in memory, with clocks that the test turns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import watch_wiring
from cdc_archive.config.settings import Settings
from cdc_archive.watch.condition import Condition
from support.build import message
from support.runs import NOON_US, RULES, SECOND_US, Database
from support.simulated_source import SimulatedSource

AUDIT = "audit"


class Nothing:
    """Nothing beside the comparison."""

    def __init__(self) -> None:
        self.volumes = self

    def count(self, stream: str, type: str, service: str, time_us: int, n: int = 1) -> None:  # noqa: A002
        pass

    def seen(self, topic: str, time_us: int) -> None:
        pass

    def conditions(self, time_us: int, read_us: int | None) -> list[Condition]:
        return []


class World:
    """A database whose every transaction a service should publish; and a watch of both.

    Args:
        folder: for the state.
        settings: of [watch].
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.now_s = NOON_US / SECOND_US
        self.database = Database()
        self.source = SimulatedSource([], batch=1000)
        for topic in ("pg.app.user", "pg.app.note", AUDIT):
            self.source.log[TopicPartition(topic, 0)] = []
        self.counts: Counter[tuple[str, str, str]] = Counter()
        (folder / "rules.toml").write_text(RULES)
        self.settings = Settings.model_validate(
            {
                "kafka": {
                    "bootstrap_servers": ["none:1"],
                    "topics": ["pg.app.user", "pg.app.note", "pg.app.team"],
                },
                "watch": {
                    "published_topics": [AUDIT],
                    "mapping": str(folder / "rules.toml"),
                    "state_dir": str(folder / "state"),
                    "settle_seconds": 1,
                    **settings,
                },
                "reconcile": {"service_header": "service"},
            }
        )
        self._numbers = count(1)
        self._sent = 0

    @contextmanager
    def watching(self, since_us: int = 0) -> Iterator[Watching]:
        """A process that watches."""
        database = watch_wiring.open_database(self.settings)
        made = watch_wiring.watch(
            self.settings,
            database,
            self.source,
            lambda *one: self.counts.update([one]),
            Nothing(),
            since_us,
            lambda: self.now_s,
            lambda: self.now_s,
        )
        made.reading.open()
        try:
            yield Watching(self, made)
        finally:
            database.close()

    def commit(self, *changes: Any, published: bool = True, **told: Any) -> list[dict[str, Any]]:
        """A transaction, and its events as the service publishes them right after it."""
        self.database.commit(int(self.now_s * SECOND_US), *changes)
        self.deliver()
        events = [self.event(*one) for one in changes if one[0] != "r"]
        if published:
            for one in events:
                self.publish(one, **told)
        return events

    def deliver(self) -> None:
        """What the connector has sent reaches the broker."""
        for one in self.database.log[self._sent :]:
            self.source.append(one)
        self._sent = len(self.database.log)

    def deliver_from(self, sent: int) -> None:
        """The same of what comes after the first so many messages."""
        self._sent = sent
        self.deliver()

    def event(self, op: str, table: str, before: Any, after: Any) -> dict[str, Any]:
        """The event that a change calls for."""
        kind = {"c": "added", "u": "updated", "d": "deleted"}[op]
        row = after or before
        payload = {"id": str(row["id"])}
        if before is not None and table == "user":
            payload["was"] = before["name"]
        if op == "u":
            payload["name"] = after["name"]
        return {
            "id": f"own-{next(self._numbers)}",
            "type": f"{table}.{kind}",
            "effective_at": int(self.now_s),
            "actor": None,
            f"{table}.{kind}": payload,
        }

    def publish(self, event: dict[str, Any], service: str = "pg.app") -> None:
        """The service publishes an event."""
        log = self.source.log[TopicPartition(AUDIT, 0)]
        log.append(
            message(
                json.dumps(event).encode(),
                topic=AUDIT,
                offset=log[-1].offset + 1 if log else 0,
                timestamp=int(self.now_s * 1000),
                headers=(("service", service.encode()),),
            )
        )


class Watching:
    """A watch that runs."""

    def __init__(self, world: World, made: watch_wiring.Made) -> None:
        self._world = world
        self.watch = made.watch
        self.reading = made.reading

    def run(self, seconds: float = 90) -> list[Condition]:
        """Let time pass; what is the matter at its end."""
        held: list[Condition] = []
        end_s = self._world.now_s + seconds
        while True:
            self.watch.step(0)
            held = self.watch.evaluate()
            self.watch.commit()
            if self._world.now_s >= end_s:
                return held
            self._world.now_s += 1

    def kinds(self, seconds: float = 90) -> dict[tuple[str, str, str], int]:
        """The same by kind, type and service, with the counts."""
        return {(one.kind, one.type, one.service): one[5] for one in self.run(seconds)}
