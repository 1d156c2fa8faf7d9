"""The assignment problem: who goes with whom, so that the sum of the weights is highest. Pure.

The Hungarian method with potentials (Kuhn, Munkres; Jonker and Volgenant's shortest paths): n rows
and m columns take n * n * m steps. Weights are Python integers: they may be as large as they must.
"""

from __future__ import annotations

from collections.abc import Sequence


def assign(weights: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs (row, column), by row, with the highest sum of weights; those of weight 0 are left out.

    Args:
        weights: by row and column, not negative; 0: may not go together.
    """
    rows, columns = len(weights), len(weights[0]) if weights else 0
    if rows > columns:
        turned = assign([[line[column] for line in weights] for column in range(columns)])
        return sorted((row, column) for column, row in turned)
    taken = _Potentials(weights, columns)
    for row in range(rows):
        taken.add(row)
    pairs = sorted((row, column) for column, row in enumerate(taken.row_of[:columns]) if row >= 0)
    return [(row, column) for row, column in pairs if weights[row][column] > 0]


class _Potentials:
    """A best assignment of some rows, to which rows are added one after the other."""

    def __init__(self, weights: Sequence[Sequence[int]], columns: int) -> None:
        self._weights = weights
        self._columns = columns
        self._of_row = [0] * len(weights)
        self._of_column = [0] * (columns + 1)
        self.row_of = [-1] * (columns + 1)
        """Column to row; the last one, which does not exist, holds the row that looks for one."""

    def add(self, row: int) -> None:
        """Give this row a column, moving others where that is better."""
        seat, free = self._columns, [True] * (self._columns + 1)
        slack: list[int | None] = [None] * self._columns
        came_from = [self._columns] * self._columns
        self.row_of[seat] = row
        while self.row_of[seat] >= 0:
            free[seat] = False
            seat = self._nearest(seat, free, slack, came_from)
        while seat != self._columns:
            self.row_of[seat] = self.row_of[came_from[seat]]
            seat = came_from[seat]
        self.row_of[self._columns] = -1

    def _nearest(
        self, seat: int, free: list[bool], slack: list[int | None], came_from: list[int]
    ) -> int:
        """The free column that costs least to reach; potentials are moved by what it costs."""
        row, best, least = self.row_of[seat], -1, 0
        line, of_row = self._weights[row], self._of_row[row]
        for column in range(self._columns):
            if not free[column]:
                continue
            cost = -line[column] - of_row - self._of_column[column]
            known = slack[column]
            if known is None or cost < known:
                slack[column], came_from[column] = cost, seat
                known = cost
            if best < 0 or known < least:
                best, least = column, known
        for column in range(self._columns + 1):
            if not free[column]:
                self._of_row[self.row_of[column]] += least
                self._of_column[column] -= least
            elif column < self._columns:
                known = slack[column]
                assert known is not None
                slack[column] = known - least
        return best
