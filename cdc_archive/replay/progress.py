"""How far a job has come with a connector: all that it must know to go on, but the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import parsed
from cdc_archive.history import fold
from cdc_archive.history.order import Reached
from cdc_archive.history.redelivery import Mark
from cdc_archive.history.states import Version
from cdc_archive.replay.disk_states import bytes_text, text_bytes


class Progress(NamedTuple):
    """`reached` and `highest` are by number of the stream, `counts` those of the report."""

    reached: Mapping[int, Reached] = {}
    fold: fold.Progress = fold.Progress()
    highest: Mapping[int, Mark] = {}
    counts: Mapping[str, Any] = {}
    done: bool = False

    def joined(self, other: Progress) -> Progress:
        """This and that of another job: of other streams and tables."""
        joined = fold.Progress(
            {**self.fold.shows_before, **other.fold.shows_before},
            self.fold.moved + other.fold.moved,
        )
        reached = {**self.reached, **other.reached}
        return Progress(reached, joined, {**self.highest, **other.highest})

    def known(self) -> Progress:
        """What it knows of the streams, without how far it has come."""
        return Progress(fold=self.fold, highest=self.highest)

    def save(self, database: sqlite3.Connection, connector: str) -> None:
        """Write it beside what it belongs to, in the same transaction."""
        database.execute(
            "INSERT OR REPLACE INTO progress VALUES (?, ?)", (text_bytes(connector), self.encode())
        )

    @classmethod
    def load_all(cls, database: sqlite3.Connection) -> dict[str, Progress]:
        """What was saved, by connector."""
        rows = database.execute("SELECT connector, value FROM progress")
        return {bytes_text(connector): cls.decode(value) for connector, value in rows}

    def encode(self) -> bytes:
        """As JSON text."""
        moved = [
            (table, key, image, proof, one and one.encode().decode(), sorted(unknown), doubt)
            for table, key, image, proof, one, unknown, doubt in self.fold.moved
        ]
        return exact_json(
            {
                "reached": [(number, *one) for number, one in self.reached.items()],
                "shows_before": self.fold.shows_before,
                "moved": moved,
                "highest": [(number, *mark) for number, mark in self.highest.items()],
                "counts": self.counts,
                "done": self.done,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Progress:
        """Out of that text."""
        value = parsed(data)
        moved = tuple(
            (table, key, image, proof, text and Version.decode(text), frozenset(unknown), doubt)
            for table, key, image, proof, text, unknown, doubt in value["moved"]
        )
        return cls(
            {number: _reached(*rest) for number, *rest in value["reached"]},
            fold.Progress(value["shows_before"], moved),
            {number: (a, b, c, d) for number, a, b, c, d in value["highest"]},
            value["counts"],
            value["done"],
        )


def _reached(connector: str | None, at: list[int] | None, latest: list[int], time: int) -> Reached:
    a, b, c = latest
    return Reached(connector, None if at is None else (at[0], at[1]), (a, b, c), time)
