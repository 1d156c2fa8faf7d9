"""What is said, to whom, and how often."""

from __future__ import annotations

import random

import pytest
from support.alarmed import PACE, RESOLVE_S, SECOND, START_US, World, condition, told

from cdc_archive.watch.outbox import LARGEST

CRITICAL = condition()
WARNING = condition(kind="volume", severity="warning", summary="keys: few")
OTHERS = [condition(kind=f"kind{n}", severity="warning") for n in range(3)]


def test_a_critical_alert_is_told_at_once_with_all_that_came_with_it() -> None:
    world = World()
    assert told(world.look(WARNING, CRITICAL)) == [("keys", "firing", ["firing", "firing"])]
    assert world.sent[0].alerts[0].severity == "critical"


def test_warnings_that_begin_together_are_one_message() -> None:
    world = World()
    assert world.look(OTHERS[0]) == []
    assert world.look(*OTHERS[:2], seconds=5) == []
    assert told(world.look(*OTHERS, seconds=5)) == [("keys", "firing", ["firing"] * 3)]


def test_each_service_is_a_group_and_alerts_about_none_are_one() -> None:
    world = World()
    world.look(condition("keys"), condition("users"), condition(""), condition("", kind="lag"))
    assert sorted((one.group, len(one.alerts)) for one in world.sent) == [
        ("", 2),
        ("keys", 1),
        ("users", 1),
    ]


def test_changes_of_a_group_wait_for_its_interval_and_come_together() -> None:
    world = World()
    world.look(WARNING, seconds=0)
    world.look(WARNING, seconds=10)
    assert world.keep(110, WARNING, CRITICAL, OTHERS[0]) == []
    assert told(world.look(WARNING, CRITICAL, OTHERS[0], seconds=10)) == [
        ("keys", "firing", ["firing"] * 3)
    ]
    assert world.sent[-1].alerts[0].severity == "critical"


def test_a_rise_in_severity_is_told_and_a_fall_is_not() -> None:
    world = World()
    mild = CRITICAL._replace(severity="warning")
    world.keep(20, mild)
    assert [one.alerts[0].severity for one in world.keep(600, CRITICAL)] == ["critical"]
    assert world.keep(600, mild, CRITICAL, mild) == []


def test_severity_that_flaps_is_told_once() -> None:
    world = World()
    mild = CRITICAL._replace(severity="warning")
    for _ in range(100):
        world.look(CRITICAL, seconds=10)
        world.look(mild, seconds=10)
    assert len(world.sent) == 1


def test_a_group_that_goes_on_unchanged_is_told_again_only_to_remind() -> None:
    world = World()
    world.look(CRITICAL)
    for count in range(1, 1000):
        world.look(CRITICAL._replace(count=count), seconds=10)
    assert [one.number for one in world.sent] == [0, 1, 2]
    assert world.sent[-1].alerts[0].latest == 720


def test_the_end_of_a_part_and_then_of_all_is_told_once_each() -> None:
    world = World()
    world.look(CRITICAL, WARNING)
    world.keep(1200, CRITICAL)
    world.keep(3 * 3600)
    assert told(world.sent) == [
        ("keys", "firing", ["firing", "firing"]),
        ("keys", "firing", ["firing", "resolved"]),
        ("keys", "resolved", ["resolved"]),
    ]


def test_what_is_over_and_known_to_all_leaves_no_state() -> None:
    world = World(("hook", "log"))
    world.look(CRITICAL, WARNING)
    world.keep(1200)
    world.look(condition("users"), seconds=600)
    assert (world.rows("alert"), world.rows("alert_told")) == (1, 2)
    assert world.rows("alert_group") == 2


def test_a_restart_makes_no_message_and_loses_none() -> None:
    """Before the first message, after it, while an end is due."""
    world = World()
    world.look(WARNING)
    world.begin()
    assert len(world.look(WARNING, seconds=10)) == 1
    for _ in range(30):
        world.begin()
        assert world.look(WARNING, seconds=10) == []
    world.keep(RESOLVE_S)
    world.look(seconds=10)
    world.begin()
    world.keep(600)
    assert told(world.sent)[1:] == [("keys", "resolved", ["resolved"])]


def test_a_message_that_was_sent_and_not_kept_is_sent_again_and_is_the_same() -> None:
    """A kill between the two."""
    world = World()
    world.alerts.update([CRITICAL], world.now_us)
    world.database.commit()
    first = world.outbox.due("hook", world.now_us)
    assert first is not None
    world.crash()
    assert world.look(CRITICAL, seconds=10) == [first]
    world.crash()
    assert world.keep(600, CRITICAL) == []


def test_a_kill_after_the_receiver_took_it_and_before_the_commit_sends_it_again() -> None:
    world = World()
    world.alerts.update([CRITICAL], world.now_us)
    world.database.commit()
    message = world.outbox.due("hook", world.now_us)
    assert message is not None
    world.outbox.delivered(message, world.now_us)
    world.crash()
    assert world.look(CRITICAL, seconds=1) == [message]


def test_one_message_is_under_way_at_a_time() -> None:
    world = World()
    world.alerts.update([condition("keys"), condition("users")], START_US)
    first = world.outbox.due("hook", START_US)
    assert first is not None
    assert world.outbox.due("hook", START_US) is None
    world.outbox.delivered(first, START_US)
    second = world.outbox.due("hook", START_US)
    assert second is not None
    assert {first.group, second.group} == {"keys", "users"}


def test_what_changes_while_a_message_is_under_way_is_told_next() -> None:
    world = World()
    world.alerts.update([CRITICAL], START_US)
    first = world.outbox.due("hook", START_US)
    assert first is not None
    world.alerts.update([], START_US + SECOND)
    world.alerts.update([], START_US + (RESOLVE_S + 1) * SECOND)
    world.outbox.delivered(first, START_US + (RESOLVE_S + 1) * SECOND)
    world.now_us = START_US + 1000 * SECOND
    assert told(world.tell()) == [("keys", "resolved", ["resolved"])]


def test_a_receiver_that_was_down_for_an_hour_is_told_all_in_one_message() -> None:
    """What began, what became worse, and what was over already."""
    world = World()
    world.down = {"hook"}
    world.look(CRITICAL, OTHERS[0])
    world.keep(1000, OTHERS[0], WARNING)
    world.keep(1000, OTHERS[0], WARNING, OTHERS[2]._replace(severity="critical"))
    world.keep(1600, WARNING)
    assert world.sent == []
    assert world.tries < 25
    world.down = set()
    world.keep(300, WARNING)
    (message,) = world.sent
    assert [(one.kind, one.status) for one in message.alerts] == [
        ("volume", "firing"),
        ("silence", "resolved"),
        ("kind2", "resolved"),
        ("kind0", "resolved"),
    ]


def test_receivers_are_told_each_by_itself() -> None:
    """One that is down neither holds up nor repeats the other's."""
    world = World(("log", "hook"))
    world.down = {"hook"}
    world.keep(600, CRITICAL)
    assert [one.receiver for one in world.sent] == ["log"]
    world.down = set()
    world.keep(310, CRITICAL)
    assert [one.receiver for one in world.sent] == ["log", "hook"]


def test_a_group_that_a_receiver_refuses_holds_up_no_other() -> None:
    world = World()
    for step in range(60):
        world.now_us += 10 * SECOND
        world.alerts.update([condition("bad"), condition(f"s{step % 7}")], world.now_us)
        while (message := world.outbox.due("hook", world.now_us)) is not None:
            take = world.outbox.failed if message.group == "bad" else world.outbox.delivered
            take(message, world.now_us)
            world.sent += [message]
    assert {one.group for one in world.sent} >= {f"s{n}" for n in range(7)}
    assert 5 < sum(one.group == "bad" for one in world.sent) < 12


def test_a_group_that_a_receiver_refused_comes_after_one_that_it_did_not() -> None:
    """However bad it is: a request that hangs would hold up the others as long."""
    world = World()
    world.down = {"hook"}
    world.look(condition("bad"))
    world.down = set()
    world.look(condition("bad"), condition("good", severity="warning"), seconds=2)
    world.look(condition("bad"), condition("good", severity="warning"), seconds=60)
    assert [one.group for one in world.sent] == ["good", "bad"]


def test_an_alert_that_ended_and_began_again_unheard_is_told_as_the_new_one() -> None:
    world = World()
    world.look(CRITICAL)
    world.down = {"hook"}
    world.keep(600)
    world.look(CRITICAL, seconds=10)
    again_us = world.now_us
    world.down = set()
    world.keep(600, CRITICAL)
    (message,) = world.sent[1:]
    assert [(one.started_us, one.times) for one in message.alerts] == [(again_us, 2)]


def test_a_receiver_that_is_new_is_told_what_fires() -> None:
    world = World()
    world.look(CRITICAL)
    world.receivers = ("hook", "pager")
    world.begin()
    assert [one.receiver for one in world.look(CRITICAL, seconds=10)] == ["pager"]


def test_a_receiver_that_was_taken_out_leaves_no_state() -> None:
    world = World(("hook", "gone"))
    world.down = {"gone"}
    world.look(CRITICAL)
    world.keep(600)
    world.receivers = ("hook",)
    world.begin()
    world.look(condition("users"), seconds=600)
    assert world.rows("alert") == 1


def test_a_large_group_is_told_in_parts_and_each_says_how_much_there_is_beside_it() -> None:
    """Every alert is told by name, at its begin and at its end."""
    world = World()
    many = [condition(type=f"type.{n}") for n in range(250)]
    world.keep(1200, *many)
    assert [(len(one.alerts), one.truncated) for one in world.sent] == [(LARGEST, 150)] * 3
    assert len({each.type for one in world.sent for each in one.alerts}) == 250
    world.sent.clear()
    world.keep(1200)
    assert [(one.status, one.truncated) for one in world.sent] == [
        ("resolved", 150),
        ("resolved", 50),
        ("resolved", 0),
    ]
    assert len({each.type for one in world.sent for each in one.alerts}) == 250


def test_ends_do_not_crowd_out_what_still_fires() -> None:
    """A group in which something fires never says that it is resolved."""
    world = World()
    many = [condition(type=f"type.{n}", severity="warning") for n in range(150)]
    world.keep(600, *many, CRITICAL)
    world.sent.clear()
    world.keep(900, CRITICAL)
    assert [one.status for one in world.sent] == ["firing"] * 2
    assert all(one.alerts[0].severity == "critical" for one in world.sent)


@pytest.mark.parametrize("back_s", [60, 86_400])
def test_a_clock_that_goes_back_silences_nobody(back_s: int) -> None:
    world = World()
    world.down = {"hook"}
    world.keep(300, CRITICAL)
    world.now_us -= back_s * SECOND
    world.down = set()
    world.keep(320, CRITICAL)
    assert len(world.sent) == 1
    world.now_us -= back_s * SECOND
    world.keep(320, CRITICAL, WARNING)
    assert any(len(one.alerts) == 2 for one in world.sent)


def test_a_clock_that_goes_back_makes_no_warning_wait_until_it_has_caught_up() -> None:
    world = World()
    world.look(WARNING)
    assert len(world.look(WARNING, seconds=-86_400)) == 1


def test_a_group_that_nobody_took_and_that_is_no_more_leaves_no_state() -> None:
    """Its alerts were dropped, for there were too many."""
    world = World()
    world.down = {"hook"}
    world.look(condition("lost"))
    world.down = set()
    world.database.execute("DELETE FROM alert")
    world.look(condition("users"), seconds=600)
    assert world.rows("alert_group") == 1


def test_500_conditions_that_flap_for_an_hour_are_a_few_messages() -> None:
    """In five groups, never absent for `resolve_seconds`: there is nothing to be told twice."""
    chance = random.Random(8)
    world = World()
    many = [condition(f"service{n % 5}", type=f"type.{n}") for n in range(500)]
    absent = dict.fromkeys(range(500), 0)
    for _ in range(360):
        held = [n for n in absent if absent[n] > RESOLVE_S // 10 - 3 or chance.random() < 0.5]
        absent = {n: 0 if n in held else absent[n] + 1 for n in absent}
        world.look(*[many[n] for n in held], seconds=10)
    first = [one for one in world.sent if one.number == 0]
    assert len(first) == 5
    assert len(world.sent) <= 5 * 3
    assert {each.identity for one in world.sent for each in one.alerts} == {one[:3] for one in many}


def test_500_conditions_that_flap_slowly_are_bounded_by_the_interval() -> None:
    """Each is absent for long enough to be over, again and again."""
    world = World()
    many = [condition(f"service{n % 5}", type=f"type.{n}") for n in range(500)]
    for step in range(360):
        held = [one for n, one in enumerate(many) if (step + n) % 80 < 40]
        world.look(*held, seconds=10)
    assert len(world.sent) <= 5 * (3600 / PACE.group_interval + 1)
    world.keep(1800)
    assert not world.alerts.firing()
    assert {one.group: one.status for one in world.sent} == {
        f"service{n}": "resolved" for n in range(5)
    }


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_receiver_ends_up_with_what_is_the_case(seed: int) -> None:
    """Kills, receivers that are down, conditions that come and go: last words are right."""
    chance = random.Random(seed)
    world = World(("log", "hook"))
    pool = [
        condition(f"s{n % 3}", kind=f"k{n}", severity=chance.choice(["critical", "warning"]))
        for n in range(9)
    ]
    held = set[int]()
    believed: dict[tuple[str, tuple[str, str, str]], tuple[str, int]] = {}

    def take() -> None:
        for message in world.sent:
            for one in message.alerts:
                believed[message.receiver, one.identity] = (one.status, one.started_us)
        world.sent.clear()

    for _ in range(400):
        if chance.random() < 0.1:
            held ^= {chance.randrange(9)}
        if chance.random() < 0.05:
            world.down = {one for one in world.receivers if chance.random() < 0.4}
        world.look(*[pool[n] for n in held], seconds=10)
        take()
        if chance.random() < 0.05:
            world.alerts.update([], world.now_us)
            world.outbox.due("hook", world.now_us)
            world.crash()
    world.down = set()
    world.keep(1500, *[pool[n] for n in held])
    take()
    fires = {one.identity: one.started_us for one in world.alerts.firing()}
    for receiver in world.receivers:
        known = {
            identity: started
            for (told_to, identity), (status, started) in believed.items()
            if told_to == receiver and status == "firing"
        }
        assert known == fires
