"""What a seed is made of: sizes, settings, and which faults are on and how often (swarm testing).

A run with everything on hides what a run with one kind of fault shows; so each seed draws a few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.worker.limits import Limits


@dataclass(frozen=True)
class StoreFaults:
    """Probabilities for each request to the store."""

    busy: float
    reset: float
    lost: float
    delayed: float
    hidden_retry: float
    slow: float

    @classmethod
    def draw(cls, rng: Random) -> StoreFaults:
        """Each kind is off in half of the worlds."""
        return cls(*(_maybe(rng, 0.5, 0.2) for _ in range(6)))


@dataclass(frozen=True)
class Profile:
    """One world's settings. Durations are in seconds."""

    protocol: str
    workers: int
    partitions: dict[str, int]
    skipped_topic: str | None
    duration_s: float
    bursts_per_s: float
    burst: int
    transactions: float
    late_hours: int
    poison: float
    wide: float
    limits: Limits
    form: FileFormat
    poll_s: float
    poll_records: int
    prefetch: int
    upload_threads: int
    retry_s: float
    stop_deadline_s: float
    request_timeout_s: float
    session_s: float
    heartbeat_s: float
    max_poll_s: float
    store: StoreFaults
    strike_every: int
    freezes: float
    longest_freeze_s: float
    nemesis_every_s: float
    nemesis: tuple[str, ...]
    source_fails: float
    topic_ids: bool

    @property
    def cooperative(self) -> bool:
        """Which of Kafka's two protocols the group speaks."""
        return self.protocol == "cooperative"

    def with_only(self, nemesis: tuple[str, ...]) -> Profile:
        """The same world under one kind of trouble."""
        return replace(
            self,
            nemesis=nemesis,
            nemesis_every_s=8.0,
            longest_freeze_s=60.0,
            topic_ids=True,
            limits=self.limits._replace(commit_age_s=3.0),
        )

    @classmethod
    def draw(cls, rng: Random) -> Profile:
        """A world of its own kind."""
        topics = ["pg.app.t", "pg/ü.x", "pg.transaction"][: rng.randrange(1, 4)]
        partitions = {topic: rng.randrange(1, 4) for topic in topics}
        skipped = topics[-1] if len(topics) == 3 and rng.random() < 0.5 else None
        return cls(
            protocol=rng.choice(["eager", "cooperative"]),
            workers=rng.randrange(1, 5),
            partitions=partitions,
            skipped_topic=skipped,
            duration_s=rng.uniform(30, 240),
            bursts_per_s=rng.uniform(0.05, 0.4),
            burst=rng.randrange(1, 10),
            transactions=_maybe(rng, 0.5, 0.5),
            late_hours=rng.choice([0, 0, 2, 5]),
            poison=_maybe(rng, 0.5, 0.1),
            wide=_maybe(rng, 0.2, 0.1),
            limits=_limits(rng),
            form=FileFormat(
                rng.choice(["null", "deflate", "zstandard"]), rng.choice([300, 2000, 65536])
            ),
            poll_s=rng.uniform(0.5, 5),
            poll_records=rng.choice([1, 5, 20, 100]),
            prefetch=rng.choice([5, 50]),
            upload_threads=rng.randrange(1, 4),
            retry_s=rng.choice([5, 30, 120]),
            stop_deadline_s=rng.choice([0.5, 10, 30]),
            request_timeout_s=rng.choice([2, 10]),
            session_s=rng.choice([6, 20]),
            heartbeat_s=2.0,
            max_poll_s=rng.choice([30, 60]),
            store=StoreFaults.draw(rng),
            strike_every=rng.choice([0, 300, 1000, 3000]),
            freezes=rng.random(),
            longest_freeze_s=rng.choice([5, 60, 240]),
            nemesis_every_s=rng.choice([5, 20, 60]),
            nemesis=tuple(one for one in NEMESIS if rng.random() < 0.5),
            source_fails=_maybe(rng, 0.3, 0.01),
            topic_ids=rng.random() < 0.8,
        )


NEMESIS = (
    "kill",
    "freeze",
    "stop",
    "rebalance",
    "retention",
    "compaction",
    "reset_offset",
    "add_partition",
    "make_again",
    "jump_clock",
    "outage",
    "deny",
    "move_in",
)
"""What is done to a world from outside; see world.py."""


def _maybe(rng: Random, chance: float, most: float) -> float:
    return rng.uniform(0, most) if rng.random() < chance else 0.0


def _limits(rng: Random) -> Limits:
    return Limits(
        commit_bytes=rng.choice([20_000, 100_000, 10_000_000]),
        commit_records=rng.choice([5, 30, 1000]),
        commit_age_s=rng.choice([3, 20, 60]),
        hour_grace_s=rng.choice([2, 30]),
        memory_budget_bytes=rng.choice([30_000, 120_000, 10_000_000]),
    )
