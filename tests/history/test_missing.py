"""What the archive lacks between two messages makes doubtful what the first one showed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.replayed import in_order, streams
from support.row_changes import key_change, row_change

from cdc_archive.history.fold import Fold
from cdc_archive.history.missing import Loss, Missing
from cdc_archive.history.states import MemoryStates
from cdc_archive.history.transition import Origin, Transition
from cdc_archive.source.message import Message

TOPIC = row_change(0, "c", None, {}).topic


def lost(start: int, end: int, kind: str = "gap", partition: int = 0) -> Loss:
    return Loss(kind, TOPIC, partition, (0, start), (0, end))


def folded(log: list[Message], *losses: Loss) -> list[Transition]:
    fold = Fold(MemoryStates(), missing=Missing(losses))
    return [one for change in in_order(streams(log)) for one in fold.apply(change)]


def doubts(log: list[Message], *losses: Loss) -> list[str | None]:
    return [one.before_doubt for one in folded(log, *losses)]


ROW = [
    row_change(0, "c", None, {"id": 1, "a": 1}),
    row_change(5, "u", None, {"id": 1, "a": 2}),
    row_change(6, "u", None, {"id": 1, "a": 3}),
]


def test_a_version_that_stands_before_a_loss_is_doubtful() -> None:
    """Only for the first change after it: the next one's version before was seen after the loss."""
    assert doubts(ROW, lost(2, 4)) == [None, "gap", None]
    assert doubts(ROW, lost(3, 3)) == [None, "gap", None]
    assert doubts(ROW, lost(1, 2, "quarantine")) == [None, "quarantine", None]
    assert doubts(ROW, lost(1, 2, "quarantine"), lost(3, 3)) == [None, "gap", None]


def test_a_loss_elsewhere_makes_no_doubt() -> None:
    """After the change, before the version before it, or in another partition."""
    assert doubts(ROW, lost(7, 9), lost(0, 0), lost(2, 4, partition=1)) == [None, None, None]


def test_a_before_image_in_the_message_has_no_doubt() -> None:
    """It is exact, whatever is missing."""
    log = [ROW[0], row_change(5, "u", {"id": 1, "a": 9}, {"id": 1, "a": 2})]
    assert [(one.before_proof, one.before_doubt) for one in folded(log, lost(2, 4))] == [
        ("none", None),
        ("exact", None),
    ]


def test_a_value_that_was_carried_over_a_loss_stays_doubtful() -> None:
    """An out-of-line value that was shown before the loss and not since."""
    big = "__debezium_unavailable_value"
    log = [
        row_change(0, "c", None, {"id": 1, "a": 1, "big": "x"}),
        row_change(5, "u", None, {"id": 1, "a": 2, "big": big}),
        row_change(6, "u", None, {"id": 1, "a": 3, "big": big}),
        row_change(7, "u", None, {"id": 1, "a": 3, "big": "y"}),
        row_change(8, "u", None, {"id": 1, "a": 4, "big": big}),
    ]
    assert doubts(log, lost(2, 4)) == [None, "gap", "gap", "gap", None]


def test_a_change_of_key_and_a_truncate_are_doubtful_as_well() -> None:
    """The doubt of a change of key is that of its delete."""
    moved = [row_change(0, "c", None, {"id": 1, "a": 1}), *key_change(5, 1, 2, {"id": 2, "a": 1})]
    assert doubts(moved, lost(2, 4)) == [None, "gap"]
    emptied = [row_change(0, "c", None, {"id": 1, "a": 1}), row_change(5, "t", None, None)]
    assert doubts(emptied, lost(2, 4)) == [None, "gap"]


def test_rows_that_change_their_partition_are_doubtful_if_either_lost_something() -> None:
    """After the version in the old one, or before the change in the new one."""
    log = [ROW[0], ROW[1]._replace(partition=1)]
    assert doubts(log, lost(2, 4)) == [None, "gap"]
    assert doubts(log, lost(2, 4, partition=1)) == [None, "gap"]
    assert doubts(log, lost(7, 9, partition=1)) == [None, None]


def test_a_log_that_began_anew_lies_between_its_incarnations() -> None:
    """Its offsets begin again, too."""
    missing = Missing([Loss("gap", TOPIC, 0, (1, 0), (1, 0))])
    assert missing.doubt([Origin(TOPIC, 0, 9)], Origin(TOPIC, 0, 0, 1)) == "gap"
    assert missing.doubt([Origin(TOPIC, 0, 0, 1)], Origin(TOPIC, 0, 3, 1)) is None


stretches = st.tuples(st.integers(0, 12), st.integers(0, 4)).map(lambda one: lost(one[0], sum(one)))


@given(st.lists(stretches, max_size=5), st.integers(0, 12), st.integers(1, 5))
def test_every_loss_between_two_messages_is_found(
    losses: list[Loss], shown: int, later: int
) -> None:
    """Overlapping or not, as if each were looked at."""
    place, at = Origin(TOPIC, 0, shown), Origin(TOPIC, 0, shown + later)
    between = [one for one in losses if one.begins[1] <= at.offset and one.ends[1] > shown]
    assert Missing(losses).doubt([place], at) == ("gap" if between else None)
