"""The assignment with the highest sum, against trying them all."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.reconcile.assignment import assign


@st.composite
def tables(draw: st.DrawFn) -> list[list[int]]:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    weight = st.integers(0, 6)
    return [[draw(weight) for _ in range(columns)] for _ in range(rows)]


def best(weights: list[list[int]]) -> int:
    rows, columns = len(weights), len(weights[0])
    if rows > columns:
        return best([list(line) for line in zip(*weights, strict=True)])
    return max(
        sum(weights[row][column] for row, column in enumerate(chosen))
        for chosen in permutations(range(columns), rows)
    )


@given(tables())
def test_no_other_way_weighs_more(weights: list[list[int]]) -> None:
    """And nobody is in two pairs."""
    pairs = assign(weights)
    assert sum(weights[row][column] for row, column in pairs) == best(weights)
    assert all(weights[row][column] > 0 for row, column in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


def test_nothing_goes_with_nothing() -> None:
    """An empty side has no pairs."""
    assert assign([]) == []
    assert assign([[], []]) == []
