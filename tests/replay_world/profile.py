"""What a seed is made of: which kinds of trouble its world has, and how much (swarm testing)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Profile:
    """One world's settings; probabilities are for each step or change."""

    connectors: int
    same_names: bool
    partitions: int
    snapshot: float
    steps: int
    most_open: int
    keys: int
    metadata: bool
    long_transaction: float
    rollback: float
    truncate: float
    move: float
    delete: float
    touch_all: float
    switch: float
    incremental: float
    crashes: int
    clock: str
    tells: tuple[str, ...]
    told: float
    ambiguous: float

    @classmethod
    def draw(cls, rng: Random) -> Profile:
        """A world of its own kind."""
        return cls(
            connectors=rng.choice([1, 1, 2]),
            same_names=rng.random() < 0.3,
            partitions=rng.choice([1, 2, 3]),
            snapshot=rng.choice([0.0, 0.6, 1.0, 1.0]),
            steps=rng.choice([40, 120, 250]),
            most_open=rng.choice([1, 3, 5]),
            keys=rng.choice([3, 6, 12]),
            metadata=rng.random() < 0.8,
            long_transaction=rng.random(),
            rollback=_maybe(rng, 0.3),
            truncate=_maybe(rng, 0.05),
            move=_maybe(rng, 0.3),
            delete=_maybe(rng, 0.3),
            touch_all=_maybe(rng, 0.5),
            switch=_maybe(rng, 0.05),
            incremental=_maybe(rng, 0.1),
            crashes=rng.choice([0, 0, 1, 3]),
            clock=rng.choice(["steady", "ties", "back", "far back"]),
            tells=tuple(one for one in ("columns", *BESIDE) if rng.random() < 0.6),
            told=rng.choice([0.5, 0.9]),
            ambiguous=_maybe(rng, 0.3),
        )


BESIDE = ("message", "row", "header")
"""Ways to tell an actor beside the row's columns."""


def _maybe(rng: Random, most: float) -> float:
    return rng.uniform(0, most) if rng.random() < 0.6 else 0.0
