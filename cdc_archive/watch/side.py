"""How far one side is read.

A log that grows all the time is never read to its end. What it held when it was asked for its end
is, a moment later: then the side is read up to the time of that question.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdc_archive.watch.reading import Ends, Reading


class Side:
    """The published log, or the change topics.

    Args:
        reading: reads both.
        published: which side.

    Attributes:
        read_us: up to when all that came is read and followed, microseconds; 0: to no end yet.
    """

    def __init__(self, reading: Reading, *, published: bool) -> None:
        self._reading = reading
        self._published = published
        self._asked: tuple[int, Ends, bool] | None = None
        self.read_us = 0

    def look(self, now_us: int, first_held: Mapping[int, int], *, confirm: bool) -> None:
        """See whether the ends that were told last are passed, and ask for those of now.

        Args:
            now_us: the time.
            first_held: offset of the first change that is held, by number of the stream.
            confirm: only what the broker itself tells counts.
        """
        if self._asked is not None and confirm and not self._asked[2]:
            self._asked = None
        self._pass(first_held)
        if self._asked is None:
            ends = self._reading.ends(published=self._published, confirm=confirm)
            self._asked = None if ends is None else (now_us, ends, confirm)
            self._pass(first_held)

    def _pass(self, first_held: Mapping[int, int]) -> None:
        if self._asked is not None and self._reading.is_past(self._asked[1], first_held):
            self.read_us, self._asked = self._asked[0], None
