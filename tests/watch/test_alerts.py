"""From conditions that come and go to alerts that begin and end."""

from __future__ import annotations

import random

import pytest
from structlog.testing import capture_logs
from support.alarmed import RESOLVE_S, SECOND, START_US, condition, opened

from cdc_archive.watch import alerts as module
from cdc_archive.watch.alerts import Alerts
from cdc_archive.watch.message import Alert


def all_of(alerts: Alerts) -> list[Alert]:
    rows = alerts._database.execute(f"SELECT {module.COLUMNS} FROM alert")
    return [module.alert_of(row) for row in rows]


def test_an_alert_keeps_its_start_its_last_words_and_its_highest_count() -> None:
    alerts = Alerts(opened(), RESOLVE_S)
    for second, count in enumerate([3, 12, 7]):
        alerts.update([condition(summary=f"{count}", count=count)], START_US + second * SECOND)
    (found,) = alerts.firing()
    assert (found.started_us, found.summary, found.latest, found.highest) == (START_US, "7", 7, 12)


def test_an_alert_is_over_after_its_condition_was_absent_long_enough() -> None:
    """And ended when that was first seen."""
    alerts = Alerts(opened(), RESOLVE_S)
    alerts.update([condition()], START_US)
    for second in range(10, RESOLVE_S + 10, 10):
        alerts.update([], START_US + second * SECOND)
        assert alerts.firing()
    alerts.update([], START_US + (RESOLVE_S + 10) * SECOND)
    assert not alerts.firing()
    assert all_of(alerts)[0].resolved_us == START_US + 10 * SECOND


def test_a_condition_that_flaps_is_one_alert() -> None:
    alerts = Alerts(opened(), RESOLVE_S)
    chance = random.Random(3)
    for second in range(0, 7200, 10):
        holds = second % (RESOLVE_S - 10) == 0 or chance.random() < 0.5
        alerts.update([condition()] if holds else [], START_US + second * SECOND)
    (found,) = alerts.firing()
    assert (found.started_us, found.times) == (START_US, 1)


def test_a_condition_that_comes_back_later_is_a_new_alert() -> None:
    """That says how often it came, as long as somebody did not know that it was over."""
    alerts = Alerts(opened(), RESOLVE_S)
    alerts.update([condition(count=90)], START_US)
    alerts.update([], START_US + SECOND)
    alerts.update([], START_US + (RESOLVE_S + 1) * SECOND)
    again_us = START_US + 1000 * SECOND
    alerts.update([condition(count=2)], again_us)
    (found,) = alerts.firing()
    assert (found.started_us, found.first_us, found.times) == (again_us, START_US, 2)
    assert found.highest == 2


@pytest.mark.parametrize("again_s", [7200, -7200], ids=["restart", "clock went back"])
def test_time_in_which_nobody_looked_ends_no_alert(again_s: int) -> None:
    database = opened()
    alerts = Alerts(database, RESOLVE_S)
    alerts.update([condition()], START_US)
    alerts.update([], START_US + SECOND)
    if again_s > 0:
        alerts = Alerts(database, RESOLVE_S)
    again_us = START_US + again_s * SECOND
    alerts.update([], again_us)
    alerts.update([], again_us + (RESOLVE_S - 1) * SECOND)
    assert alerts.firing()
    alerts.update([], again_us + RESOLVE_S * SECOND)
    assert not alerts.firing()
    (over,) = all_of(alerts)
    assert over.resolved_us is not None
    assert over.resolved_us >= over.started_us


def test_names_and_summaries_cannot_break_or_swell_the_state() -> None:
    """Half a character, a number that no column holds, and a megabyte."""
    alerts = Alerts(opened(), RESOLVE_S)
    hostile = condition(
        type="\ud800", summary="x" * 1_000_000, count=1 << 80, examples=("y" * 5000, "\udfff") * 9
    )
    for second in range(3):
        alerts.update([hostile], START_US + second * SECOND)
    (found,) = alerts.firing()
    assert found.type == "\\ud800"
    assert (len(found.summary), len(found.examples), len(found.examples[0])) == (500, 5, 200)


def test_alerts_that_nobody_takes_do_not_pile_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, and the log says so."""
    monkeypatch.setattr(module, "KEPT", 20)
    alerts = Alerts(opened(), 0)
    with capture_logs() as logs:
        for second in range(50):
            alerts.update([condition(type=f"type.{second}")], START_US + second * SECOND)
    assert sorted(one.type for one in all_of(alerts)) == [f"type.{n}" for n in range(29, 50)]
    assert sum(line["count"] for line in logs) == 29
