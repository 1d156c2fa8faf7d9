"""What is soaked: each a load, a store, and limits that bring pressure soon."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from bench import load

MIB = 1024 * 1024
KIB = 1024


class Scenario(NamedTuple):
    """One soak.

    `backlog_bytes` is what the topic holds when the worker starts; `store_bytes_per_s` slows the
    store down, 0 does not; `events_per_s` is the rate after the backlog, 0: as fast as they are
    archived; `crash` kills the worker at the height of pressure; `store` is `s3` or
    `file`; `settings` are further environment variables, without their prefix.
    """

    what: str
    partitions: int
    make: Callable[[random.Random], load.Load]
    backlog_bytes: int
    store_bytes_per_s: int = 0
    events_per_s: float = 0
    crash: bool = False
    store: str = "s3"
    settings: dict[str, str] = {}  # noqa: RUF012  # never changed


SCENARIOS = {
    "hours": Scenario(
        "2,000 table-hours at once: 40 tables x 50 hours, 1 KiB rows",
        4,
        lambda rng: load.table_hours(rng, 40, 50, 4, KIB),
        160 * MIB,
    ),
    "schemas": Scenario(
        "400 tables, each with a Connect schema of 5 KiB in every message",
        4,
        lambda rng: load.with_schemas(rng, 400, 4, 2 * KIB),
        200 * MIB,
    ),
    "large": Scenario(
        "messages of 64 KiB to 8 MiB",
        4,
        lambda rng: load.large(rng, 4, 64 * KIB, 8 * MIB - 64 * KIB),
        320 * MIB,
    ),
    "skew": Scenario(
        "8 partitions, one with 100 times the load of each other",
        8,
        lambda rng: load.skewed(rng, 8, 100, 4 * KIB),
        200 * MIB,
    ),
    "slow": Scenario(
        "a store that takes 16 MiB/s",
        4,
        lambda rng: load.table_hours(rng, 8, 4, 4, 8 * KIB),
        200 * MIB,
        store_bytes_per_s=16 * MIB,
    ),
    "crash": Scenario(
        "kill -9 at the height of pressure on a slow store, then a new worker",
        4,
        lambda rng: load.table_hours(rng, 8, 4, 4, 8 * KIB),
        200 * MIB,
        store_bytes_per_s=16 * MIB,
        crash=True,
    ),
    "file": Scenario(
        "a folder as the store, 64 KiB to 2 MiB",
        4,
        lambda rng: load.large(rng, 4, 64 * KIB, 2 * MIB),
        200 * MIB,
        store="file",
    ),
}
