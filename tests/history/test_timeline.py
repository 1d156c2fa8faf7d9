"""A row's versions through changes of its key: joined where they are one row, apart where not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.row_changes import in_transaction, key_change, row_change
from support.row_histories import history_of

from cdc_archive import schema_files
from cdc_archive.archive.reader.row_search import Move, reachable
from cdc_archive.archive.reader.window import Window
from cdc_archive.audit import mapping
from cdc_archive.decode.images import UNAVAILABLE
from cdc_archive.errors import NothingFound
from cdc_archive.history.difference import Difference
from cdc_archive.history.row_version import RowVersion
from cdc_archive.replay.row_as_of import standing, version_at
from cdc_archive.replay.row_history import Asked
from cdc_archive.source.message import Message


def lives(log: list[Message], *key: str) -> list[list[RowVersion]]:
    return [[told.version for told in story.told] for story in history_of(log, *key).lives]


def steps(log: list[Message], *key: str) -> list[list[tuple[str, Any]]]:
    """Operation and key of each version, by life."""
    return [[(v.op, json.loads(v.key)["id"]) for v in life] for life in lives(log, *key)]


def versions(log: list[Message], *key: str) -> list[RowVersion]:
    (life,) = lives(log, *key)
    return life


def old_values(version: RowVersion) -> dict[str, tuple[str, Any]]:
    return {one.column: (one.old.proof, one.old.value) for one in version.differences}


CHAIN = [
    row_change(0, "c", None, {"id": 1, "a": 0}),
    *key_change(1, 1, 2, {"id": 2, "a": 0}),
    row_change(2, "u", None, {"id": 2, "a": 1}, key=2),
    *key_change(3, 2, 3, {"id": 3, "a": 1}),
    row_change(4, "d", {"id": 3}, None, key=3),
]


@pytest.mark.parametrize("key", [1, 2, 3])
def test_a_chain_of_key_changes_is_one_row_by_each_of_its_keys(key: int) -> None:
    """The oldest, one in the middle, the newest."""
    assert steps(CHAIN, str(key)) == [
        [("create", 1), ("key_change", 2), ("update", 2), ("key_change", 3), ("delete", 3)]
    ]


def test_a_key_may_come_back_to_its_row() -> None:
    """From 1 to 2 to 1: one row, three versions after its creation."""
    log = [
        row_change(0, "c", None, {"id": 1}),
        *key_change(1, 1, 2, {"id": 2}),
        *key_change(2, 2, 1, {"id": 1}),
        row_change(3, "u", None, {"id": 1, "a": 1}),
    ]
    told = [[("create", 1), ("key_change", 2), ("key_change", 1), ("update", 1)]]
    assert steps(log, "1") == steps(log, "2") == told


REUSED = [
    row_change(0, "c", None, {"id": 1, "a": "first"}),
    *key_change(1, 1, 2, {"id": 2, "a": "first"}),
    row_change(2, "c", None, {"id": 1, "a": "second"}),
    row_change(3, "d", {"id": 1}, None),
    row_change(4, "c", None, {"id": 3, "a": "third"}, key=3),
    *key_change(5, 3, 1, {"id": 1, "a": "third"}),
    row_change(6, "u", None, {"id": 2, "a": "first again"}, key=2),
]


def test_rows_that_stood_under_one_key_in_turn_are_told_apart() -> None:
    """One moved away, one was deleted, one moved in; each whole, under its other keys too."""
    assert steps(REUSED, "1") == [
        [("create", 1), ("key_change", 2), ("update", 2)],
        [("create", 1), ("delete", 1)],
        [("create", 3), ("key_change", 1)],
    ]


def test_a_row_that_never_stood_under_the_key_is_not_its_history() -> None:
    """Key 2 was only the first row's; key 3 only the third's."""
    assert steps(REUSED, "2") == [[("create", 1), ("key_change", 2), ("update", 2)]]
    assert steps(REUSED, "3") == [[("create", 3), ("key_change", 1)]]


def across(log: list[Message]) -> list[Message]:
    """Odd keys on partition 0, even ones on partition 1."""
    return [one._replace(partition=1 - json.loads(one.key or b"")["id"] % 2) for one in log]


def test_a_key_change_may_lead_to_another_partition() -> None:
    """Delete and tombstone on one, create on the other."""
    assert steps(across(CHAIN), "3") == steps(CHAIN, "3")
    assert steps(across(REUSED), "1") == steps(REUSED, "1")


def test_a_key_change_needs_no_transaction_metadata() -> None:
    """Delete and create share an LSN; the create may stand on the partition of lower number."""
    moved = [
        row_change(1, "d", {"id": 2}, None, 2, newkey=1),
        row_change(1, "tombstone", None, None, 2, newkey=1),
        row_change(1, "c", None, {"id": 1, "a": 0}, 1, oldkey=2),
    ]
    log = [
        row_change(0, "c", None, {"id": 2, "a": 0}, key=2),
        *moved,
        row_change(2, "u", None, {"id": 1, "a": 1}),
    ]
    told = [[("create", 2), ("key_change", 1), ("update", 1)]]
    assert steps(across(log), "1") == steps(across(log), "2") == told


def test_two_rows_may_swap_their_keys_in_one_transaction() -> None:
    """A constraint checked at the end lets each move onto a key that is not free yet."""
    swap = [
        row_change(2, "d", {"id": 1, "a": "x"}, None, 1, newkey=2),
        row_change(2, "c", None, {"id": 2, "a": "x"}, 2, oldkey=1),
        row_change(2, "d", {"id": 2, "a": "y"}, None, 2, newkey=1),
        row_change(2, "c", None, {"id": 1, "a": "y"}, 1, oldkey=2),
    ]
    log = [
        row_change(0, "c", None, {"id": 1, "a": "x"}),
        row_change(1, "c", None, {"id": 2, "a": "y"}, key=2),
        *(in_transaction(one, 2, order) for order, one in enumerate(swap, 1)),
    ]
    told = [[("create", 1), ("key_change", 2)], [("create", 2), ("key_change", 1)]]
    assert steps(log, "1") == steps(log, "2") == told
    assert [story.life.overtaken for story in history_of(log, "1").lives] == [None, None]


def test_a_key_change_without_its_create_is_told_not_lost() -> None:
    """The row stands under its new key; how it looks there is not known until it is shown."""
    log = [row_change(0, "c", None, {"id": 1, "a": 0}), *key_change(1, 1, 2, None)[:2]]
    _, moved = versions(log, "1")
    assert (moved.op, moved.key, moved.after) == ("key_change", '{"id":2}', None)
    assert "not in the archive" in moved.notes[0]
    log.append(row_change(2, "u", None, {"id": 2, "a": 5}, key=2))
    assert steps(log, "1") == [[("create", 1), ("key_change", 2), ("update", 2)]]
    assert old_values(versions(log, "1")[2]) == {"id": ("unknown", None), "a": ("unknown", None)}


def test_a_key_change_without_its_delete_still_names_the_old_key() -> None:
    """The archive begins with the create: the row is found by the key that it had."""
    log = key_change(1, 1, 2, {"id": 2, "a": 0})[2:]
    assert steps(log, "1") == steps(log, "2") == [[("key_change", 2)]]
    assert old_values(versions(log, "1")[0]) == {"id": ("exact", 1), "a": ("unknown", None)}


def test_truncate_ends_the_row_and_its_key_is_free() -> None:
    """From another partition, without a key."""
    log = [
        row_change(0, "c", None, {"id": 1, "a": 0}),
        row_change(1, "t", None, None)._replace(key=None, partition=1),
        row_change(2, "c", None, {"id": 1, "a": 1}),
    ]
    assert steps(log, "1") == [[("create", 1), ("truncate", 1)], [("create", 1)]]
    assert old_values(lives(log, "1")[0][1])["a"] == ("reconstructed", 0)


def test_what_is_delivered_again_is_one_version() -> None:
    """A restart of Debezium inside a key change."""
    log = [*CHAIN, *(one._replace(offset=0) for one in CHAIN[1:])]
    assert steps(log, "1") == steps(CHAIN, "1")


def test_a_snapshot_row_is_a_state() -> None:
    """One that differs from the version before tells of changes that were not seen."""
    log = [
        row_change(0, "r", None, {"id": 1, "a": 0}),
        row_change(1, "r", None, {"id": 1, "a": 0}),
        row_change(2, "r", None, {"id": 1, "a": 1}),
    ]
    first, same, other = versions(log, "1")
    assert [v.op for v in (first, same, other)] == ["snapshot"] * 3
    assert old_values(first) == {"id": ("none", None), "a": ("none", None)}
    assert (same.differences, same.notes) == ((), ())
    assert old_values(other) == {"a": ("reconstructed", 0)}
    assert "not seen" in other.notes[0]


def test_each_old_value_names_the_message_that_showed_it() -> None:
    """Column by column: an out-of-line value may be older than the version before."""
    log = [
        row_change(0, "c", None, {"id": 1, "big": "x", "a": 0}),
        row_change(1, "u", None, {"id": 1, "big": UNAVAILABLE, "a": 1}),
        row_change(2, "u", None, {"id": 1, "big": "y", "a": 2}),
    ]
    last = versions(log, "1")[2]
    offsets = {one.column: one.old.origin.offset for one in last.differences if one.old.origin}
    assert offsets == {"big": 0, "a": 1}


def test_an_out_of_line_value_that_was_never_seen_is_unknown() -> None:
    """It is no value, and what it was is not claimed once it shows."""
    log = [
        row_change(0, "u", None, {"id": 1, "big": UNAVAILABLE, "a": 1}),
        row_change(1, "u", None, {"id": 1, "big": UNAVAILABLE, "a": 2}),
        row_change(2, "u", None, {"id": 1, "big": "y", "a": 2}),
    ]
    first, second, third = versions(log, "1")
    assert first.after == {"id": 1, "a": 1}
    assert first.unknown_columns == second.unknown_columns == {"big"}
    assert old_values(second) == {"a": ("reconstructed", 1)}
    assert old_values(third) == {"big": ("unknown", None)}
    assert third.unknown_columns == frozenset()


def test_the_first_sight_by_an_update_leaves_the_version_before_unknown() -> None:
    """Each column's old value, none guessed."""
    (only,) = versions([row_change(0, "u", None, {"id": 1, "a": 2})], "1")
    assert (only.op, only.before_proof) == ("update", "unknown")
    assert old_values(only) == {"id": ("unknown", None), "a": ("unknown", None)}


def test_a_before_image_is_exact_and_shows_what_was_missed() -> None:
    """REPLICA IDENTITY FULL; it contradicts the version before it if a change is missing."""
    log = [
        row_change(0, "c", None, {"id": 1, "a": 0}),
        row_change(1, "u", {"id": 1, "a": 0}, {"id": 1, "a": 1}),
        row_change(2, "u", {"id": 1, "a": 7}, {"id": 1, "a": 8}),
    ]
    _, fine, odd = versions(log, "1")
    assert (old_values(fine), fine.notes) == ({"a": ("exact", 0)}, ())
    assert old_values(odd) == {"a": ("exact", 7)}
    assert "a changed unseen" in odd.notes[0]


def test_a_delete_at_first_sight_is_believed_if_the_table_shows_before_images() -> None:
    """Which an update of any other row of the table tells."""
    gone = row_change(5, "d", {"id": 1, "a": 7}, None)
    (blind,) = versions([gone], "1")
    assert [one.column for one in blind.differences] == ["id"]
    (seen,) = versions([row_change(0, "u", {"id": 2}, {"id": 2}, key=2), gone], "1")
    assert old_values(seen) == {"id": ("exact", 1), "a": ("exact", 7)}


def test_a_row_over_one_that_was_not_seen_to_end_is_another_row() -> None:
    """And it is said."""
    log = [row_change(at, "c", None, {"id": 1, "a": at}) for at in range(2)]
    first, second = lives(log, "1")
    assert [len(first), len(second)] == [1, 1]
    assert "not seen to end" in second[0].notes[0]
    older, newer = history_of(log, "1").lives
    assert older.life.overtaken == second[0].change
    assert newer.life.overtaken is None


def test_a_row_that_cannot_be_read_is_a_version_of_unknown_content() -> None:
    """And nothing is taken from the version before it."""
    deep = json.loads("[" * 150 + "]" * 150)
    log = [
        row_change(0, "c", None, {"id": 1, "a": 0}),
        row_change(1, "u", None, {"id": 1, "a": deep}),
        row_change(2, "d", {"id": 1}, None),
    ]
    _, update, _ = versions(log, "1")
    assert (update.op, update.after) == ("update", None)
    assert "cannot be read" in update.notes[0]
    assert history_of(log, "1").losses.unreadable == 1


def test_a_column_that_came_or_went_with_a_null_is_no_difference_of_the_row() -> None:
    """ALTER TABLE is not a change of the row; a value that goes is shown."""
    log = [
        row_change(0, "c", None, {"id": 1, "a": None, "b": 2}),
        row_change(1, "u", None, {"id": 1, "c": None}),
    ]
    (gone,) = versions(log, "1")[1].differences
    assert isinstance(gone, Difference)
    assert (gone.column, gone.old.value, gone.new.proof) == ("b", 2, "none")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (['{"id":1}'], 1),
        (['{"id":"1"}'], "1"),
        (["id=1"], 1),
        (["1"], 1),
        (['"1"'], "1"),
        (["01"], None),
        (["ID=1"], None),
        (["1", "id=1"], ValueError),
        (["id=1", "id=1"], ValueError),
        (['{"id":2}'], 2),
        (['{"id":"2"}'], 2),
        (['id="2"'], 2),
        (["x=y"], "x=y"),
        (["true"], True),
    ],
)
def test_a_key_is_found_as_json_first_then_by_its_text(given: list[str], found: Any) -> None:
    """1 and "1" are two keys where both exist, and each finds the other where not."""
    log = [
        row_change(at, "c", None, {"id": key}, key=key)
        for at, key in enumerate([1, "1", 2, "x=y", True])
    ]
    if found is ValueError:
        with pytest.raises(ValueError, match="column=value"):
            history_of(log, *given)
    elif found is None:
        with pytest.raises(NothingFound, match="has or had the key"):
            history_of(log, *given)
    else:
        ((only,),) = lives(log, *given)
        assert only.key == json.dumps({"id": found}, separators=(",", ":"))


def test_a_table_without_keys_says_that_it_has_no_history() -> None:
    """With how many changes it holds, and what to do."""
    log = [row_change(at, "c", None, {"a": at})._replace(key=None) for at in range(3)]
    with pytest.raises(NothingFound, match=r"no primary key: its 3 changes") as error:
        history_of(log, "1")
    assert "message.key.columns" in error.value.action


def test_moves_lead_on_in_the_order_of_time_only() -> None:
    """A table whose keys are all counted up is not one row."""
    shifted = [Move(str(n), str(n + 1), 100 - n) for n in range(50)]
    assert reachable({"20"}, shifted) == {"19", "20", "21"}
    assert reachable({"b"}, [Move("a", "b", None), Move("b", "c", 1)]) == {"a", "b", "c"}


def test_rows_of_two_connectors_are_told_apart() -> None:
    """Their positions cannot be compared: each has its own versions of the row."""
    log = [row_change(at, "c", None, {"id": 1, "a": at}) for at in range(2)]
    assert log[1].value is not None
    other = log[1].value.replace(b'"name": "pg"', b'"name": "other"')
    log[1] = log[1]._replace(topic="other.app.t", value=other)
    first, second = lives(log, "1")
    assert [len(first), len(second)] == [1, 1]
    assert second[0].notes == ()


def test_values_are_typed_as_the_mapping_says() -> None:
    """JSON without schemas: by hints, in diffs and in states."""
    text = schema_files.read("mappings/openai.toml").decode()
    hints = '[[types]]\ntables = ["t"]\ncolumns = { born = "date" }\n'
    rules = mapping.parse(text + hints, "test")
    log = [
        row_change(0, "r", None, {"id": 1, "born": 0}),
        row_change(1, "u", None, {"id": 1, "born": 1}),
    ]
    (story,) = history_of(log, "1", rules=rules).lives
    first, second = story.versions
    assert first.after == {"id": 1, "born": "1970-01-01"}
    assert old_values(second) == {"born": ("reconstructed", "1970-01-01")}


# --- against a model that knows no messages ------------------------------------------------------

KEYS = range(1, 5)
ops = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete", "move", "move", "truncate", "snapshot"]),
        st.sampled_from(KEYS),
        st.sampled_from(KEYS),
    ),
    max_size=25,
)


class Table:
    """A table with key changes: which row stands under which key, and all that it went through."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.stories: list[list[tuple[str, int, int | None]]] = []
        self.log: list[Message] = []
        self.seen: list[dict[int, int | None]] = []
        """After each step, the value under each key."""

    def remember(self) -> None:
        def value(story: int) -> int | None:
            return next(a for _, _, a in reversed(self.stories[story]) if a is not None)

        self.seen.append({key: value(story) for key, story in self.rows.items()})

    def do(self, at: int, op: str, key: int, target: int) -> None:
        here = self.rows.get(key)
        row = {"id": key, "a": at}
        if op == "insert" and here is None:
            self.rows[key] = len(self.stories)
            self.stories.append([("create", key, at)])
            self.log.append(row_change(at, "c", None, row, key))
        elif op == "truncate":
            for one, story in self.rows.items():
                self.stories[story].append(("truncate", one, None))
            self.rows.clear()
            self.log.append(row_change(at, "t", None, None)._replace(key=None))
        elif here is None:
            return
        elif op == "update":
            self.stories[here].append(("update", key, at))
            self.log.append(row_change(at, "u", None, row, key))
        elif op == "snapshot":
            last = next(a for _, _, a in reversed(self.stories[here]) if a is not None)
            self.stories[here].append(("snapshot", key, last))
            self.log.append(row_change(at, "r", None, {"id": key, "a": last}, key))
        elif op == "delete":
            self.stories[self.rows.pop(key)].append(("delete", key, None))
            self.log.append(row_change(at, "d", {"id": key, "a": 0}, None, key))
            self.log.append(row_change(at, "tombstone", None, None, key))
        elif op == "move" and target not in self.rows:
            self.rows[target] = self.rows.pop(key)
            self.stories[here].append(("key_change", target, at))
            self.log += key_change(at, key, target, {"id": target, "a": at})


def spread(log: list[Message], partitions: int, again: set[int]) -> list[Message]:
    """The messages on partitions by key; some are delivered twice."""
    out = []
    for number, message in enumerate(log):
        key = json.loads(message.key)["id"] if message.key else number
        out.append(message._replace(partition=key % partitions))
        if number in again:
            out.append(out[-1])
    return out


@given(ops, st.integers(1, 3), st.sets(st.integers(0, 60)))
def test_the_history_of_each_key_is_that_of_the_rows_that_stood_under_it(
    done: list[tuple[str, int, int]], partitions: int, again: set[int]
) -> None:
    """Whatever is moved, deleted, truncated, reused, delivered twice, or on other partitions."""
    table = Table()
    for at, (op, key, target) in enumerate(done):
        table.do(at, op, key, target)
        table.remember()
    log = spread(table.log, partitions, again)
    assume(log)
    for key in KEYS:
        expected = [story for story in table.stories if any(key == one for _, one, _ in story)]
        if not expected:
            with pytest.raises(NothingFound):
                history_of(log, str(key))
            continue
        told = [
            [(v.op, json.loads(v.key)["id"], v.after and v.after["a"]) for v in life]
            for life in lives(log, str(key))
        ]
        assert told == expected


@given(ops, st.sampled_from(KEYS), st.data())
def test_the_row_as_of_a_time_is_the_one_that_stood_under_the_key(
    done: list[tuple[str, int, int]], key: int, data: st.DataObject
) -> None:
    """None did: then whatever came from there or went there, under the key that it had."""
    table = Table()
    for at, step in enumerate([("insert", key, key), *done]):
        table.do(at, *step)
        table.remember()
    at = data.draw(st.integers(0, len(done)))
    time_us = (1_771_516_800_000 + at) * 1000
    asked = Asked(Window(None, time_us + 1), last_only=True)
    found = standing(history_of(spread(table.log, 2, set()), str(key), asked=asked), time_us)
    told = {json.loads(version_at(one).key)["id"]: version_at(one).after for one in found}
    if key in table.seen[at]:
        assert told == {key: {"id": key, "a": table.seen[at][key]}}
    else:
        assert all(row == {"id": one, "a": table.seen[at][one]} for one, row in told.items())


def test_a_version_from_before_a_message_in_quarantine_is_noted() -> None:
    """It may not be the last one; the next version's is."""
    told = versions(
        [
            row_change(0, "c", None, {"id": 1, "a": 1}),
            row_change(1, "u", None, {})._replace(value=b"poison"),
            row_change(2, "u", None, {"id": 1, "a": 2}),
            row_change(3, "u", None, {"id": 1, "a": 3}),
        ],
        "1",
    )
    assert [len(one.notes) for one in told] == [0, 1, 0]
    assert "quarantine" in told[1].notes[0]
