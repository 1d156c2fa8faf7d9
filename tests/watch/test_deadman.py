"""The dead-man's switch is called when, and only when, evaluations succeed."""

from __future__ import annotations

import pytest
from support.alarmed import SECOND, START_US
from support.listener import Listener, until

from cdc_archive.watch.deadman import DeadMan
from cdc_archive.watch.endpoint import Endpoint


def switch(heard: Listener, outcomes: list[tuple[str, bool]]) -> DeadMan:
    return DeadMan(Endpoint("dead-man", heard.url), 60, lambda *one: outcomes.append(one))


def play(heard: Listener, evaluated: list[bool], every_s: int = 10) -> list[tuple[int, bool]]:
    """When it was called, in seconds, and whether that succeeded."""
    outcomes: list[tuple[str, bool]] = []
    dead_man = switch(heard, outcomes)
    calls: list[tuple[int, bool]] = []
    for step, whole in enumerate(evaluated):
        if whole:
            dead_man.evaluated()
        dead_man.tell(START_US + step * every_s * SECOND)
        if dead_man._call is not None:
            until(dead_man._call.done)
            dead_man.tell(START_US + step * every_s * SECOND)
            name, taken = outcomes[-1]
            assert name == "dead-man"
            calls.append((step * every_s, taken))
    return calls


def test_it_is_called_at_its_interval_while_evaluations_succeed(heard: Listener) -> None:
    assert play(heard, [True] * 19) == [(0, True), (60, True), (120, True), (180, True)]
    assert {one.method for one in heard.requests} == {"GET"}
    assert len(heard.requests) == 4


def test_it_is_not_called_without_an_evaluation(heard: Listener) -> None:
    """Neither at the start nor later."""
    assert play(heard, [False] * 3 + [True] + [False] * 30 + [True]) == [(30, True), (340, True)]


def test_a_call_that_fails_is_counted_and_made_again_sooner(heard: Listener) -> None:
    heard.status = 503
    assert play(heard, [True] * 10) == [
        (0, False),
        (20, False),
        (40, False),
        (60, False),
        (80, False),
    ]


def test_a_clock_that_goes_back_does_not_stop_it(heard: Listener) -> None:
    outcomes: list[tuple[str, bool]] = []
    dead_man = switch(heard, outcomes)
    for now_us in (START_US, START_US - 86_400 * SECOND):
        dead_man.evaluated()
        dead_man.tell(now_us)
        assert dead_man._call is not None
        until(dead_man._call.done)
        dead_man.tell(now_us)
    assert outcomes == [("dead-man", True)] * 2


def test_an_error_of_any_kind_is_a_call_that_failed(
    heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not end the loop."""

    def broken(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(Endpoint, "send", broken)
    assert play(heard, [True]) == [(0, False)]


def test_the_loop_does_not_wait_for_it(heard: Listener) -> None:
    """And while it waits, it is not called again."""
    heard.hold.clear()
    outcomes: list[tuple[str, bool]] = []
    dead_man = switch(heard, outcomes)
    for step in range(100):
        dead_man.evaluated()
        dead_man.tell(START_US + step * 60 * SECOND)
    until(lambda: heard.requests)
    assert (len(heard.requests), outcomes) == (1, [])
