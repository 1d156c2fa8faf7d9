"""The simulation finds bugs: each of planted.py within a few worlds."""

from __future__ import annotations

import pytest

from simulation.planted import PLANTED
from simulation.running import run_seed

WITHIN = 100
"""Worlds. Most bugs are found in the first; the rarest need a worker that was fenced."""

SEEN_IN_THE_ARCHIVE = [
    "commit_before_upload",
    "overwrite_allowed",
    "maximum_of_many_files",
    "fence_removed",
    "age_only_on_new_records",
    "buffers_kept_after_a_fence",
    "start_past_the_head",
    "trust_kafkas_offset",
    "batch_kept_over_a_loss",
    "gap_crossed_in_silence",
    "hour_of_the_first_record",
    "stale_facts_of_the_topic",
]
"""Bugs that harm the archive, or keep it from ever being complete."""


RARE = {"topic_asked_before_its_chains": ("make_again", "freeze")}
"""Needs a hundred worlds and more; here they have little else."""
TOO_RARE = {"topic_accepted_twice"}
"""Needs seven hundred: `make simulate PLANT=topic_accepted_twice`."""


def found_within(worlds: int, *, watched: bool, only: tuple[str, ...] = ()) -> int | None:
    """The first seed that brings a planted bug to light."""
    for seed in range(worlds):
        if run_seed(seed, watched=watched, only=only).failures:
            return seed
    return None


@pytest.mark.parametrize("name", sorted(PLANTED.keys() - TOO_RARE))
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever watches: the worker's side, the broker's, or the verdict on the archive."""
    PLANTED[name](monkeypatch.setattr)
    assert found_within(WITHIN, watched=True, only=RARE.get(name, ())) is not None


@pytest.mark.parametrize("name", SEEN_IN_THE_ARCHIVE)
def test_the_archive_alone_gives_a_planted_bug_away(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing watched while the world runs, the verdict on the objects finds it."""
    PLANTED[name](monkeypatch.setattr)
    assert found_within(WITHIN, watched=False) is not None
