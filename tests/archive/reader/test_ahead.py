"""Answers come in order, some of them asked for ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.archive.reader.ahead import ahead
from cdc_archive.errors import ObjectMissing


@given(st.lists(st.integers(), max_size=30))
def test_each_answer_comes_in_its_place(asked: list[int]) -> None:
    """Whatever the number of questions."""
    assert [*ahead(str, asked)] == [*map(str, asked)]


def test_questions_are_asked_side_by_side() -> None:
    """None of four is answered before all are asked."""
    together = threading.Barrier(4, timeout=10)

    def ask(number: int) -> int:
        together.wait()
        return number

    assert [*ahead(ask, range(8))] == [*range(8)]


def test_what_goes_wrong_is_told_where_its_answer_is_due() -> None:
    """The answers before it are given."""

    def ask(number: int) -> int:
        if number == 2:
            raise ObjectMissing("2 is gone")
        return number

    answers = ahead(ask, range(5))
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ObjectMissing, match="2 is gone"):
        next(answers)


def test_no_more_is_asked_for_than_is_nearly_due() -> None:
    """What nobody waits for does not fill the memory."""
    taken = []

    def these() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    answers = ahead(str, these())
    assert next(answers) == "0"
    answers.close()  # type: ignore[attr-defined]
    assert len(taken) == 4
