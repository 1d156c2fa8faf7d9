"""One-to-one, by id, content and time, however close together things happen."""

from __future__ import annotations

import random

import pytest
from support.published import SECOND, proven, published

from cdc_archive.reconcile.matching import Difference, Matched, match

TOLERANCE = 5 * SECOND


def shown(found: Matched) -> tuple[int, int, int, int, int]:
    """Pairs that agree, pairs that differ, missing, unexpected, duplicates."""
    differ = sum(bool(one.differences) for one in found.pairs)
    return (
        len(found.pairs) - differ,
        differ,
        len(found.missing),
        len(found.unexpected),
        len(found.duplicates),
    )


def test_ten_updates_in_one_second_each_find_their_own() -> None:
    """Whatever the order in which they were published."""
    truth = [proven(at=number / 10, scopes=[f"s{number}"]) for number in range(10)]
    told = [published(at=0, scopes=[f"s{number}"]) for number in range(10)]
    random.Random(7).shuffle(told)
    found = match(truth, told, TOLERANCE)
    assert shown(found) == (10, 0, 0, 0, 0)
    assert all(
        one.expected.event["api_key.updated"] == one.published.event["api_key.updated"]
        for one in found.pairs
    )


def test_the_one_dropped_of_ten_in_a_second_is_the_one_missing() -> None:
    """Not some other one."""
    truth = [proven(at=number / 10, scopes=[f"s{number}"]) for number in range(10)]
    told = [published(at=0, scopes=[f"s{number}"]) for number in range(10) if number != 4]
    found = match(truth, told, TOLERANCE)
    assert found.missing == [truth[4]]


def test_back_and_forth_is_counted_and_not_merged() -> None:
    """A to B to A to B: the same content twice, and one of four is missing."""
    truth = [proven(at=number, scopes=["ab"[number % 2]]) for number in range(4)]
    told = [published(at=number, scopes=["ab"[number % 2]]) for number in (0, 1, 3)]
    found = match(truth, told, TOLERANCE)
    assert shown(found) == (3, 0, 1, 0, 0)
    assert found.missing == [truth[2]]


def test_of_equals_the_nearest_in_time_go_together() -> None:
    """So what is missing has the right id and time."""
    truth = [proven(at=0, scopes=["a"]), proven(at=4, scopes=["a"])]
    found = match(truth, [published(at=4, scopes=["a"])], TOLERANCE)
    assert found.missing == [truth[0]]


def test_nearest_is_not_bought_with_a_lost_pair() -> None:
    """The late one is still within the tolerance of the second."""
    truth = [proven(at=0, scopes=["a"]), proven(at=4, scopes=["a"])]
    told = [published(at=4, scopes=["a"]), published(at=9, scopes=["a"])]
    assert shown(match(truth, told, TOLERANCE)) == (2, 0, 0, 0, 0)


def test_a_lost_and_an_invented_event_do_not_shift_those_between() -> None:
    """Three pairs that all differ would be one more than two that agree."""
    truth = [proven(at=0, scopes=["a"]), proven(at=5, scopes=["b"]), proven(at=10, scopes=["c"])]
    told = [
        published(at=5, scopes=["b"]),
        published(at=10, scopes=["c"]),
        published(at=15, scopes=["d"]),
    ]
    assert shown(match(truth, told, TOLERANCE)) == (2, 0, 1, 1, 0)


def test_an_altered_member_is_told_by_its_path() -> None:
    """With what is proven and what was published."""
    found = match([proven(scopes=["a"], name="x")], [published(scopes=["b"], name="x")], TOLERANCE)
    path = "api_key.updated.changes_requested.scopes"
    assert found.pairs[0].differences == (Difference(path, ["a"], ["b"]),)


def test_an_altered_event_goes_with_what_it_resembles_most() -> None:
    """Of two changes in the same second."""
    truth = [proven(at=0, a=1, b=1, c=1), proven(at=0.5, a=2, b=2, c=2)]
    told = [published(at=0, a=2, b=2, c=9), published(at=0, a=1, b=9, c=1)]
    found = match(truth, told, TOLERANCE)
    paths = [[one.path.rpartition(".")[2] for one in pair.differences] for pair in found.pairs]
    assert paths == [["b"], ["c"]]


@pytest.mark.parametrize("member", ["ip_address", "user_agent"])
def test_what_no_source_gives_of_an_actor_is_no_difference(member: str) -> None:
    """The published actor may say more."""
    more = {"type": "session", "session": {"user": {"id": "user_1"}, member: "x"}}
    less = {"type": "session", "session": {"user": {"id": "user_1"}}}
    assert shown(match([proven(actor=less)], [published(actor=more)], TOLERANCE))[0] == 1


def test_an_unproven_actor_is_not_compared_and_a_proven_one_is() -> None:
    """Nobody, or another than was proven."""
    other = {"type": "session", "session": {"user": {"id": "user_2", "email": "a@example.com"}}}
    assert shown(match([proven(actor=None)], [published()], TOLERANCE))[0] == 1
    found = match([proven()], [published(actor=other)], TOLERANCE).pairs[0]
    assert found.differences == (Difference("actor.session.user.id", "user_1", "user_2"),)
    assert not found.unattributed
    assert match([proven()], [published(actor=None)], TOLERANCE).pairs[0].unattributed


def test_lists_are_sets_and_null_is_not_there() -> None:
    """As in the log that this is for."""
    truth = proven(scopes=["a", "b"], rows=[{"id": "1"}, {"id": "2"}])
    told = published(scopes=["b", "a"], rows=[{"id": "2", "x": None}, {"id": "1"}], name=None)
    assert shown(match([truth], [told], TOLERANCE, extra=True)) == (1, 0, 0, 0, 0)
    fewer = published(scopes=["a", "a"], rows=[{"id": "1"}, {"id": "2"}])
    assert shown(match([truth], [fewer], TOLERANCE)) == (0, 1, 0, 0, 0)


def test_a_member_that_no_change_proves_differs_only_if_asked() -> None:
    """A request may set what was so before."""
    truth, told = proven(scopes=["a"]), published(scopes=["a"], name="same")
    assert match([truth], [told], TOLERANCE).pairs[0].differences == ()
    found = match([truth], [told], TOLERANCE, extra=True).pairs[0].differences
    assert found == (Difference("api_key.updated.changes_requested.name", None, "same"),)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, "1"), (1, 2)])
def test_values_of_another_type_differ(one: object, other: object) -> None:
    """Python's `1 == True` is not JSON's."""
    assert shown(match([proven(n=one)], [published(n=other)], TOLERANCE)) == (0, 1, 0, 0, 0)


def test_the_same_id_goes_together_whatever_the_time_and_says_so() -> None:
    """An altered time is a difference, not a loss and an invention."""
    truth, told = proven(id="x", at=0), published(id="x", at=3600)
    found = match([truth], [told], TOLERANCE)
    assert [one.path for one in found.pairs[0].differences] == ["effective_at"]


def test_an_id_published_twice_is_a_duplicate_even_if_two_changes_would_fit() -> None:
    """Whoever keeps the log by id has it once; the one that agrees counts."""
    truth = [proven(at=0, scopes=["a"]), proven(at=1, scopes=["b"])]
    told = [published(at=0, id="p", scopes=["z"]), published(at=1, id="p", scopes=["b"])]
    found = match(truth, told, TOLERANCE)
    assert found.missing == [truth[0]]
    assert found.duplicates == [(told[0], told[1])]


def test_the_same_event_under_another_id_is_a_duplicate_and_other_content_is_not() -> None:
    """Of what was paired, and of what was invented."""
    told = [
        published(at=0, scopes=["a"]),
        published(at=1, scopes=["a"]),
        published(at=1, scopes=["b"]),
        published(at=2, scopes=["b"]),
    ]
    found = match([proven(at=0, scopes=["a"])], told, TOLERANCE)
    assert found.duplicates == [(told[1], told[0]), (told[3], told[2])]
    assert found.unexpected == [told[2]]


def test_beyond_the_tolerance_nothing_goes_together() -> None:
    """But a time in whole seconds was cut off: that second is not counted."""
    assert shown(match([proven(at=5.9)], [published(at=0)], TOLERANCE))[0] == 1
    assert shown(match([proven(at=6)], [published(at=0)], TOLERANCE)) == (0, 0, 1, 1, 0)


def test_thousands_near_each_other_are_matched_in_time() -> None:
    """Every tenth altered, every seventh lost, shuffled within their seconds."""
    truth = [proven(at=number / 5, scopes=[f"s{number % 97}"]) for number in range(3000)]
    told = [
        published(at=number / 5, scopes=[f"s{number % 97}" if number % 10 else f"z{number}"])
        for number in range(3000)
        if number % 7
    ]
    random.Random(3).shuffle(told)
    found = match(truth, told, TOLERANCE)
    lost, altered = len(range(0, 3000, 7)), len([n for n in range(0, 3000, 10) if n % 7])
    agree, differ, missing, unexpected, doubled = shown(found)
    assert (agree, doubled, unexpected) == (3000 - lost - altered, 0, altered - differ)
    assert missing == lost + altered - differ


def test_a_copy_does_not_stand_in_for_a_dropped_event() -> None:
    """Under another id, on the same resource in the same second."""
    truth = [proven(at=0, scopes=["a"]), proven(at=0.2, scopes=["b"]), proven(at=0.4, scopes=["c"])]
    told = [
        published(at=0, scopes=["a"]),
        published(at=0, scopes=["c"]),
        published(at=0, scopes=["c"]),
    ]
    found = match(truth, told, TOLERANCE)
    assert shown(found) == (2, 0, 1, 0, 1)
    assert found.missing == [truth[1]]
