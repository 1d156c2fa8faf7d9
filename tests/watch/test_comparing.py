"""The watch says of each published event, and of each change, what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.watched import AUDIT, World

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap, Stop
from cdc_archive.source.message import Message
from cdc_archive.source.source import TopicFacts


def user(number: int, name: str = "Ann") -> dict[str, Any]:
    return {"id": number, "name": name}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_the_matter_while_every_change_has_its_event(world: World) -> None:
    with world.watching() as watching:
        for number in range(20):
            world.commit(("c", "user", None, user(number)))
            world.commit(("u", "user", user(number), user(number, "Bea")))
            assert watching.run(1) == []
        assert watching.run(1000) == []
    assert world.counts["expected", "user.added", "pg.app"] == 20
    assert world.counts["published", "user.updated", "pg.app"] == 20
    assert not [kind for kind, *_ in world.counts if kind in ("missing", "unexpected")]


def test_changes_without_any_event_are_a_silence(world: World) -> None:
    with world.watching() as watching:
        for number in range(5):
            world.commit(("c", "user", None, user(number)), published=False)
        assert watching.kinds(50) == {}
        held = {one.kind: one for one in watching.run(20)}
    assert held.keys() == {"silence", "missing"}
    assert held["silence"].summary == "5 changes of user, 0 user.* events published"
    assert (held["silence"].type, held["silence"].service) == ("user.*", "pg.app")
    assert held["missing"].examples[0] == "pg.app.user[0]@4"


def test_one_type_of_a_family_may_be_silent_alone(world: World) -> None:
    with world.watching() as watching:
        for number in range(4):
            world.commit(("c", "user", None, user(number)))
            world.commit(("d", "user", user(number), None), published=False)
            world.now_s += 1
        world.commit(("c", "user", None, user(9)))
        held = watching.kinds()
    assert held == {
        ("silence", "user.deleted", "pg.app"): 4,
        ("missing", "user.deleted", "pg.app"): 4,
    }


def test_fewer_than_a_silence_are_missing_only(world: World) -> None:
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)), published=False)
        assert watching.kinds() == {("missing", "user.added", "pg.app"): 1}


def test_events_published_late_end_silence_and_missing_without_further_changes(
    world: World,
) -> None:
    with world.watching() as watching:
        lost = [
            world.commit(("c", "user", None, user(number)), published=False)[0]
            for number in range(4)
        ]
        assert ("silence", "user.*", "pg.app") in watching.kinds()
        for one in lost:
            world.publish(one)
        assert watching.kinds(2) == {}


def test_a_silence_ends_when_the_service_publishes_again_and_what_is_missing_stays(
    world: World,
) -> None:
    with world.watching() as watching:
        for number in range(4):
            world.commit(("c", "user", None, user(number)), published=False)
        assert ("silence", "user.*", "pg.app") in watching.kinds()
        world.commit(("c", "user", None, user(7)))
        assert watching.kinds(5) == {("missing", "user.added", "pg.app"): 4}


def test_an_altered_event_is_different(world: World) -> None:
    with world.watching() as watching:
        (event,) = world.commit(("u", "user", user(1), user(1, "Bea")), published=False)
        event["user.updated"]["name"] = "Eve"
        world.publish(event)
        (held,) = watching.run()
    assert (held.kind, held.type) == ("different", "user.updated")
    assert held.examples == ("audit[0]@0 user.updated.name",)


@pytest.mark.parametrize("after_s", [0, 30, 300])
def test_a_doubled_event_is_told_whenever_its_double_comes(world: World, after_s: int) -> None:
    with world.watching() as watching:
        (event,) = world.commit(("c", "user", None, user(1)))
        watching.run(after_s)
        world.publish(event)
        world.commit(("c", "user", None, user(2)))
        held = watching.kinds(60)
        world.now_s += 10
        world.commit(("c", "user", None, user(3)))
        held = watching.kinds(60)
    assert held == {("duplicate", "user.added", "pg.app"): 1}


def test_a_double_under_another_id_that_comes_late_is_no_unexpected_event(world: World) -> None:
    with world.watching() as watching:
        (event,) = world.commit(("c", "user", None, user(1)))
        watching.run(50)
        world.publish({**event, "id": "another"})
        for number in range(2, 100):
            world.commit(("c", "user", None, user(number)))
            held = watching.kinds(1)
            assert ("unexpected", "user.added", "pg.app") not in held
    assert held == {("duplicate", "user.added", "pg.app"): 1}


def test_an_event_that_no_change_tells_of_is_unexpected_once_the_changes_have_passed_it(
    world: World,
) -> None:
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)))
        (event,) = world.commit(("c", "user", None, user(2)))
        event["user.added"]["id"], event["id"] = "66", "forged"
        world.publish(event)
        assert watching.kinds(30) == {}
        world.commit(("c", "user", None, user(3)))
        assert watching.kinds(10) == {("unexpected", "user.added", "pg.app"): 1}


def test_an_unexpected_event_is_told_in_a_quiet_database_too(world: World) -> None:
    with world.watching() as watching:
        (event,) = world.commit(("c", "user", None, user(1)))
        watching.run(60)
        event["user.added"]["id"], event["id"] = "66", "forged"
        event["effective_at"] = int(world.now_s)
        world.publish(event)
        assert watching.kinds(600) == {}
        assert watching.kinds(400) == {("unexpected", "user.added", "pg.app"): 1}


def test_an_event_that_comes_before_its_change_waits_for_it(world: World) -> None:
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)))
        event = world.event("c", "user", None, user(2))
        at_us = int(world.now_s * 1_000_000)
        world.publish(event)
        assert watching.run(200) == []
        world.database.commit(at_us, ("c", "user", None, user(2)))
        world.deliver()
        assert watching.run(200) == []


def test_ten_changes_of_a_row_in_a_second_keep_their_own_events(world: World) -> None:
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1, "0")))
        for number in range(10):
            change = ("u", "user", user(1, str(number)), user(1, str(number + 1)))
            world.commit(change, published=number != 4)
            world.now_s += 0.1
        held = watching.run()
    assert [(one.kind, one.type, one[5]) for one in held] == [("missing", "user.updated", 1)]


def test_a_message_that_cannot_be_read_is_told_on_either_side(world: World) -> None:
    with world.watching() as watching:
        world.publish({"no": "event"})
        world.database.send("user", {"op": "x", "after": {}, "source": {"ts_ms": 1}}, None)
        world.deliver()
        held = watching.kinds(5)
    assert held == {("unreadable", "audit", ""): 1, ("unreadable", "pg.app.user", ""): 1}


def test_what_lies_before_the_beginning_teaches_rows_and_is_not_compared(world: World) -> None:
    world.commit(("c", "user", None, user(1)), published=False)
    world.now_s += 3600
    since_us = int((world.now_s - 60) * 1_000_000)
    with world.watching(since_us) as watching:
        world.commit(("u", "user", user(1), user(1, "Bea")))
        assert watching.run() == []
    assert world.counts["published", "user.updated", "pg.app"] == 1


def test_a_killed_watch_goes_on_and_counts_nothing_twice(world: World) -> None:
    for number in range(12):
        with world.watching() as watching:
            world.commit(("c", "user", None, user(number)), published=number % 4 != 0)
            watching.watch.step(0)
            if number % 2:
                watching.run(2)
    with world.watching() as watching:
        held = watching.kinds()
    assert held == {("missing", "user.added", "pg.app"): 3}
    assert world.counts["missing", "user.added", "pg.app"] == 3


def test_changes_that_were_held_when_the_watch_was_killed_are_read_again(world: World) -> None:
    world.commit(("c", "user", None, user(1)), published=False)
    with world.watching() as watching:
        watching.watch.step(0)
    with world.watching() as watching:
        assert watching.kinds() == {("missing", "user.added", "pg.app"): 1}


def test_a_redelivery_after_a_restart_of_the_connector_is_no_second_change(world: World) -> None:
    world.commit(("c", "user", None, user(1)))
    with world.watching() as watching:
        watching.run(5)
    with world.watching() as watching:
        world.database.again(world.database.log[:1])
        world.deliver()
        assert watching.run() == []
    assert world.counts["expected", "user.added", "pg.app"] == 1


def test_changes_of_one_transaction_in_two_topics_are_put_in_order(world: World) -> None:
    """The look-up's row comes a moment after the row that looks it up."""
    team = TopicPartition("pg.app.team", 0)
    world.source.log[team] = []
    at_us = int(world.now_s * 1_000_000)
    row = user(1) | {"team": 5}
    with world.watching() as watching:
        first, second = world.database.commit(
            at_us, ("c", "team", None, {"id": 5, "name": "red"}), ("c", "user", None, row)
        )
        world.source.append(second)
        watching.watch.step(0)
        world.source.append(first)
        event = world.event("c", "user", None, row)
        event["user.added"]["team"] = "red"
        world.publish(event)
        assert watching.run() == []
        event = world.event("u", "user", row, row | {"name": "Bea"})
        at_us = int(world.now_s * 1_000_000)
        world.database.commit(at_us, ("u", "user", row, row | {"name": "Bea"}))
        world.deliver_from(2)
        event["user.updated"]["team"] = "blue"
        world.publish(event)
        (held,) = watching.run()
    assert held.examples == ("audit[0]@1 user.updated.team",)


def test_messages_deleted_before_they_were_read_are_a_gap_and_no_event_of_theirs_is_missing(
    world: World,
) -> None:
    audit = TopicPartition("audit", 0)
    with world.watching() as watching:
        for number in range(4):
            world.commit(("c", "user", None, user(number)))
        watching.run(5)
    for number in range(4, 8):
        world.commit(("c", "user", None, user(number)))
    world.source.log_start[audit] = 8
    with world.watching() as watching:
        held = watching.kinds(100)
        assert held == {("gap", "audit", ""): 1}
        world.commit(("c", "user", None, user(9)), published=False)
        held = watching.kinds(100)
    assert held == {("gap", "audit", ""): 1, ("missing", "user.added", "pg.app"): 1}


def test_nothing_is_called_missing_while_the_published_log_cannot_be_read(world: World) -> None:
    audit = TopicPartition("audit", 0)
    with world.watching() as watching:
        watching.run(1)
        world.source.pause([audit])
        for number in range(5):
            world.commit(("c", "user", None, user(number)))
        assert watching.kinds(200) == {}
        assert watching.kinds(200) == {("lag", "", ""): 400}
        world.source.resume([audit])
        assert watching.kinds(1) == {}


def test_topic_partitions_that_another_member_has_are_an_alarm(world: World) -> None:
    with world.watching() as watching:
        watching.run(1)
        world.source.revoke(TopicPartition("audit", 0))
        world.commit(("c", "user", None, user(1)))
        held = watching.run(400)
    assert [(one.kind, one.examples) for one in held] == [("assignment", ("audit[0]",))]


def test_a_second_watch_is_kept_off_the_state_of_the_first(world: World) -> None:
    with world.watching(), pytest.raises(Stop, match="another watch works in"), world.watching():
        pass


def test_the_event_of_a_whole_transaction_is_told_when_nothing_more_comes(tmp_path: Path) -> None:
    """No further change has to end the transaction."""
    grouped = 'group = "transaction"\nitem = "row.name"\npayload = "{id: \'all\', names: items}"'
    world = World(tmp_path)
    rules = (tmp_path / "rules.toml").read_text()
    first = rules.index("payload =")
    end = rules.index("\n", first)
    (tmp_path / "rules.toml").write_text(rules[:first] + grouped + rules[end:])
    with world.watching() as watching:
        at_us = int(world.now_s * 1_000_000)
        world.database.commit(at_us, *(("c", "user", None, user(n, f"n{n}")) for n in range(3)))
        world.deliver()
        world.now_s += 1
        watching.run(100)
        (held,) = watching.run(100)
    assert (held.kind, held.type, held[5]) == ("missing", "user.added", 1)
    assert world.counts["expected", "user.added", "pg.app"] == 1


def test_a_topic_that_is_gone_is_an_alarm_and_holds_up_nothing(world: World) -> None:
    note = TopicPartition("pg.app.note", 0)
    for topic in ("audit", "pg.app.user", "pg.app.note"):
        world.source.topics[topic] = TopicFacts(topic, 1)
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)))
        watching.run(1)
        world.source.revoke(note)
        del world.source.topics["pg.app.note"]
        watching.run(400)
        world.commit(("c", "user", None, user(2)), published=False)
        held = watching.kinds()
    assert held == {("topic_gone", "", ""): 1, ("missing", "user.added", "pg.app"): 1}


def test_a_topic_that_the_settings_no_longer_name_is_not_waited_for(world: World) -> None:
    world.source.log[TopicPartition("pg.app.old", 0)] = []
    with world.watching() as watching:
        watching.run(1)
    del world.source.log[TopicPartition("pg.app.old", 0)]
    world.source.positions.clear()
    with world.watching() as watching:
        watching.run(400)
        world.commit(("c", "user", None, user(1)), published=False)
        assert watching.kinds() == {("missing", "user.added", "pg.app"): 1}


def test_changes_that_never_pause_are_followed_all_the_same(tmp_path: Path) -> None:
    world = World(tmp_path, settle_seconds=3)
    with world.watching() as watching:
        world.publish(world.event("c", "user", None, user(999)))
        for number in range(400):
            world.commit(("c", "user", None, user(number)))
            held = watching.kinds(1)
    assert held == {("unexpected", "user.added", "pg.app"): 1}


def test_events_that_never_pause_are_read_all_the_same(world: World) -> None:
    ends = world.source.log_range

    def another_comes(partition: TopicPartition) -> OffsetRange:
        if partition.topic == AUDIT:
            world.publish({"id": "x", "type": "of.no.rule", "effective_at": int(world.now_s)})
        return ends(partition)

    world.source.log_range = another_comes  # type: ignore[method-assign]
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)), published=False)
        held = watching.kinds(400)
    assert held == {("missing", "user.added", "pg.app"): 1}


def test_a_published_log_that_ends_with_a_transaction_marker_is_read_to_its_end(
    world: World,
) -> None:
    ends = world.source.log_range

    def with_marker(partition: TopicPartition) -> OffsetRange:
        held = ends(partition)
        return held._replace(end=held.end + 1) if partition.topic == AUDIT else held

    world.source.log_range = with_marker  # type: ignore[method-assign]
    world.source.position = lambda one: with_marker(one).end  # type: ignore[method-assign]
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)))
        world.commit(("c", "user", None, user(2)), published=False)
        assert watching.kinds(400) == {("missing", "user.added", "pg.app"): 1}


def test_messages_of_a_poll_that_failed_for_another_topic_partition_are_read_again(
    world: World,
) -> None:
    polled, failures = world.source.poll, iter([True])

    def fails_once(timeout_s: float) -> Sequence[Message]:
        messages = polled(timeout_s)
        if messages and next(failures, False):
            raise OffsetGap("another log has lost messages", "")
        return messages

    world.source.poll = fails_once  # type: ignore[method-assign]
    with world.watching() as watching:
        world.commit(("c", "user", None, user(1)))
        assert watching.run(90) == []
    assert world.counts["expected", "user.added", "pg.app"] == 1
    assert world.counts["published", "user.added", "pg.app"] == 1


def test_a_watch_that_evaluates_once_at_a_time_forgets_too(world: World) -> None:
    with world.watching() as watching:
        (event,) = world.commit(("u", "user", user(1), user(1, "Bea")), published=False)
        event["user.updated"]["name"] = "Eve"
        world.publish(event)
        assert [one.kind for one in watching.run()] == ["different"]
    world.now_s += 3600
    with world.watching() as watching:
        assert watching.run(0) == []
