"""The worlds find bugs: each of planted.py within the seeds that are sound without it."""

from __future__ import annotations

import pytest

from replay_world.planted import PLANTED
from replay_world.running import WORLDS, run_seed


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the check that is to find it."""
    plant = PLANTED[name]
    plant.put(monkeypatch.setattr)
    assert any(run_seed(seed, (plant.check,)) for seed in range(WORLDS[plant.check]))
