"""Whatever happens to workers, broker and store: each offset once, nothing lost or overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from simulation.running import Outcome, run_seed, trace

SEEDS = 50
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [run_seed(seed) for seed in range(SEEDS)]


def test_every_offset_is_accounted_for_once(outcomes: list[Outcome]) -> None:
    """I1 to I8 of the design hold in the first worlds; `make simulate` runs many more."""
    assert [failure for outcome in outcomes for failure in outcome.failures] == []


@pytest.mark.parametrize(
    "what",
    [
        "crashes",
        "freezes",
        "zombies",
        "zombies at the end",
        "fences",
        "members timed out",
        "rebalances eager",
        "rebalances cooperative",
        "transactions aborted",
        "absent offsets",
        "compacted messages",
        "gaps accepted",
        "lost offsets",
        "skipped messages",
        "taken: quarantine",
        "offsets refused",
        "offsets reset",
        "partitions added",
        "clock jumps",
        "orphans",
        "pauses",
        "store: busy",
        "store: denied",
        "store: reset",
        "store: lost",
        "store: delayed",
        "store: hidden_retry",
        "store: conflict",
        "topics made again",
        "chains begun anew",
        "commits by age",
        "commits by pressure",
        "commits by revoked",
        "commits by hour",
        "commits by stop",
        "ends: StateUnknown",
        "ends: StoreDenied",
        "ends: OffsetGap",
    ],
)
def test_the_worlds_are_not_peaceful(outcomes: list[Outcome], what: str) -> None:
    """Each kind of trouble is met in the first worlds already."""
    happened: Counter[str] = sum((outcome.counts for outcome in outcomes), Counter())
    assert happened[what] > 0


def test_a_seed_makes_a_run_again() -> None:
    """Call for call, in another process and under another hash seed too."""
    lines, failure = trace(7)
    assert failure is None
    program = "from simulation.running import trace; print('\\n'.join(trace(7)[0]))"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": hash_seed}
        again = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            cwd=TESTS.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert again.stdout.splitlines() == lines


def test_other_seeds_make_other_runs() -> None:
    """A seed decides, not a habit."""
    assert trace(7)[0] != trace(8)[0]
