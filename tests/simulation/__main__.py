"""`make simulate`: many seeds, a figure for everything that happened, and what went wrong.

Environment: SEEDS (how many), FIRST (the first one; `new`: others each time), SECONDS (at most),
TRACE=1 (with SEEDS=1: what happened, line by line), PLANT (a bug of planted.py, for a look).
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter

from simulation.planted import PLANTED
from simulation.running import Failure, run_many, trace

_DEFAULT_SEEDS = 1000
_ENDLESS = 1 << 40


def main() -> int:
    """Exit code 1 if a seed failed."""
    wanted = os.environ.get("FIRST") or "0"
    first = time.time_ns() // 1_000_000_000 * 100_000 if wanted == "new" else int(wanted)
    seconds = float(os.environ.get("SECONDS") or "inf")
    few = _DEFAULT_SEEDS if seconds == float("inf") else _ENDLESS
    seeds = int(os.environ.get("SEEDS") or few)
    plant = os.environ.get("PLANT", "")
    if os.environ.get("TRACE"):
        if plant:
            PLANTED[plant](setattr)
        return _trace(first)
    return _simulate(first, seeds, seconds, plant)


def _trace(seed: int) -> int:
    lines, failure = trace(seed)
    print("\n".join(lines))
    if failure is not None:
        print(f"\nseed {seed} failed: {failure.what}")
    return int(failure is not None)


def _simulate(first: int, seeds: int, seconds: float, plant: str) -> int:
    begun = told = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    total = 0
    for outcome in run_many(first, seeds, seconds, plant):
        total += outcome.seeds
        counts += outcome.counts
        failures += outcome.failures
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"{total} seeds, {total / (told - begun):.1f}/s", file=sys.stderr, flush=True)
    took = time.monotonic() - begun
    for what in sorted(counts):
        print(f"{counts[what]:>12,} {what}")
    print(f"\n{total:,} seeds from {first} on in {took:.0f} s: {total / took:.1f} seeds/s")
    for failure in sorted(failures):
        print(f"\nseed {failure.seed} FAILED: {failure.what}")
        again = f"PLANT={plant} " if plant else ""
        print(f"  again, told line by line: make simulate {again}FIRST={failure.seed} TRACE=1")
    if not failures:
        print("nothing lost, nothing doubled, nothing overwritten")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
