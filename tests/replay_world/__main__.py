"""`python -m replay_world --seeds 1000 --first 0`: many worlds, and what went wrong in them."""

from __future__ import annotations

import argparse
import sys
import time

from replay_world.planted import PLANTED
from replay_world.running import run_many


def main() -> int:
    """Exit code 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="replay_world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--plant", default="", choices=["", *sorted(PLANTED)])
    asked = parser.parse_args()
    begun, failed = time.monotonic(), 0
    for failure in run_many(asked.first, asked.seeds, asked.plant):
        if failure is not None:
            failed += 1
            print(f"seed {failure.seed} FAILED: {failure.what}", flush=True)
    took = time.monotonic() - begun
    print(f"{asked.seeds:,} seeds from {asked.first} on in {took:.0f} s, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
