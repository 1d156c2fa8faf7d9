"""Row histories: what a message lacks comes from the version before; what is unknown stays so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.replayed import in_order, streams
from support.row_changes import row_change

from cdc_archive.decode.images import UNAVAILABLE
from cdc_archive.history.fold import Fold
from cdc_archive.history.missing import Loss, Missing
from cdc_archive.history.states import MemoryStates
from cdc_archive.history.transition import Transition
from cdc_archive.source.message import Message


def folded(*log: Message) -> list[Transition]:
    fold = Fold(MemoryStates())
    return [t for change in in_order(streams(log)) for t in fold.apply(change)]


def test_an_update_without_a_before_image_takes_the_version_before() -> None:
    """REPLICA IDENTITY DEFAULT: marked as reconstructed."""
    _, update = folded(
        row_change(0, "c", None, {"id": 1, "a": 1, "b": 1}),
        row_change(1, "u", None, {"id": 1, "a": 2, "b": 1}),
    )
    assert (update.before_proof, update.changed) == ("reconstructed", {"a"})
    assert update.before == {"id": 1, "a": 1, "b": 1}


def test_the_first_sight_of_a_row_is_not_guessed_at() -> None:
    """An update without a version before proves no difference."""
    (update,) = folded(row_change(0, "u", None, {"id": 1, "a": 2}))
    assert (update.before, update.before_proof, update.changed) == (None, "unknown", None)


def test_an_untouched_out_of_line_value_is_not_a_change() -> None:
    """The placeholder never comes out as a value, in none of its forms."""
    for mark in (UNAVAILABLE, [UNAVAILABLE], [ord(char) for char in UNAVAILABLE]):
        _, update = folded(
            row_change(0, "c", None, {"id": 1, "big": "x" * 9, "a": 1}),
            row_change(1, "u", None, {"id": 1, "big": mark, "a": 2}),
        )
        assert update.after == {"id": 1, "big": "x" * 9, "a": 2}
        assert update.changed == {"a"}
        (first,) = folded(row_change(0, "u", None, {"id": 1, "big": mark}))
        assert (first.after, first.unknown_columns) == ({"id": 1}, {"big"})


def test_the_invented_values_of_a_delete_are_not_believed() -> None:
    """Under DEFAULT identity only the key is evidence; the rest is the archive's last version."""
    invented = {"id": 1, "status": "pending"}
    (alone,) = folded(row_change(0, "d", invented, None))
    assert (alone.before, alone.before_proof) == ({"id": 1}, "key_only")
    _, known = folded(
        row_change(0, "c", None, {"id": 1, "status": "accepted"}),
        row_change(1, "d", invented, None),
    )
    assert (known.before, known.before_proof) == ({"id": 1, "status": "accepted"}, "reconstructed")


def test_a_table_that_shows_before_images_is_believed() -> None:
    """REPLICA IDENTITY FULL is seen by the before image of an update."""
    _, delete = folded(
        row_change(0, "u", {"id": 2, "a": 1}, {"id": 2, "a": 2}, key=2),
        row_change(1, "d", {"id": 1, "a": 7}, None),
    )
    assert (delete.before, delete.before_proof) == ({"id": 1, "a": 7}, "exact")


def test_the_columns_of_an_index_are_not_taken_for_the_row() -> None:
    """REPLICA IDENTITY USING INDEX: an update of the index shows it alone, the rest is invented."""
    row = {"id": 1, "email": "a", "role": "owner"}
    create, update = row_change(0, "c", None, row), {**row, "email": "b"}
    for invented in ({"id": 0, "email": "a", "role": None}, {"id": 1, "email": "a", "role": ""}):
        _, told, ended = folded(
            create, row_change(1, "u", invented, update), row_change(2, "d", invented, None)
        )
        assert (told.before, told.before_proof, told.changed) == (row, "reconstructed", {"email"})
        assert (ended.before, ended.before_proof) == (update, "reconstructed")
    (first,) = folded(row_change(1, "u", {"id": 0, "email": "a", "role": None}, update))
    assert (first.before, first.before_proof) == (None, "unknown")


def test_a_before_image_is_believed_where_messages_are_missing() -> None:
    """What contradicts the known version is then the newer one."""
    log = [row_change(0, "c", None, {"id": 1, "a": 1})]
    image, after = {"id": 1, "a": 2}, {"id": 1, "a": 3}
    log += [row_change(5, "u", image, after), row_change(9, "d", {"id": 1, "a": 7}, None)]
    missing = [Loss("gap", log[0].topic, 0, (0, at), (0, at + 1)) for at in (2, 7)]
    fold = Fold(MemoryStates(), missing=Missing(missing))
    _, update, delete = [t for change in in_order(streams(log)) for t in fold.apply(change)]
    assert (update.before, update.before_proof) == (image, "exact")
    assert (delete.before, delete.before_proof) == ({"id": 1, "a": 7}, "exact")


def test_a_change_of_key_is_one_update() -> None:
    """Delete, tombstone, create: the row goes on under its new key."""
    transitions = folded(
        row_change(0, "c", None, {"id": 1, "a": 1}),
        row_change(1, "d", {"id": 1, "a": 1}, None, newkey=5),
        row_change(2, "tombstone", None, None, newkey=5),
        row_change(3, "c", None, {"id": 5, "a": 1}, key=5, oldkey=1),
        row_change(4, "u", None, {"id": 5, "a": 2}, key=5),
    )
    assert [t.op for t in transitions] == ["create", "update", "update"]
    assert transitions[1].changed == {"id"}
    assert transitions[2].changed == {"a"}


def test_a_snapshot_row_is_a_state_not_a_change() -> None:
    """It makes no transition, and is the version before the next one."""
    (update,) = folded(
        row_change(0, "r", None, {"id": 1, "a": 1}), row_change(1, "u", None, {"id": 1, "a": 2})
    )
    assert (update.before, update.before_proof) == ({"id": 1, "a": 1}, "reconstructed")


def test_a_version_that_cannot_be_read_is_not_passed_over() -> None:
    """The one before it is no longer the last: what follows is not reconstructed from it."""
    told = folded(
        row_change(0, "c", None, {"id": 1, "a": 1}),
        row_change(1, "u", None, "no object"),
        row_change(2, "u", None, {"id": 1, "a": 3}),
    )
    assert [(t.op, t.before, t.before_proof) for t in told[1:]] == [("update", None, "unknown")]


def test_truncate_ends_every_row() -> None:
    """One deletion for each row that lived."""
    transitions = folded(
        row_change(0, "c", None, {"id": 1}),
        row_change(1, "c", None, {"id": 2}, key=2),
        row_change(2, "d", {"id": 1}, None),
        row_change(3, "t", None, None),
    )
    assert [(t.op, t.key) for t in transitions[3:]] == [("delete", '{"id":2}')]


columns = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=3, max_size=3)


@given(st.lists(columns, min_size=1, max_size=12), st.data())
def test_whatever_debezium_leaves_out_the_history_is_whole(
    versions: list[dict], data: st.DataObject
) -> None:
    """With before images or without, with placeholders or without: the same history."""
    log, previous = [], None
    for offset, version in enumerate(versions):
        full = {"id": 1, **version}
        shown = dict(full)
        if previous is not None:
            for name in "abc":
                if previous[name] == full[name] and data.draw(st.booleans()):
                    shown[name] = UNAVAILABLE
        before = previous if data.draw(st.booleans()) else None
        log.append(row_change(offset, "u" if previous else "c", before, shown))
        previous = full
    told = [t.after for t in folded(*log)]
    assert told == [{"id": 1, **version} for version in versions]
    for transition, old, new in zip(folded(*log)[1:], versions, versions[1:], strict=False):
        assert transition.changed == {name for name in "abc" if old[name] != new[name]}
