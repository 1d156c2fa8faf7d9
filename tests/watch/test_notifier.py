"""Conditions in; metrics, log lines and requests out."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.alarmed import PACE, RESOLVE_S, SECOND, START_US, condition, opened
from support.listener import Listener, until

from cdc_archive.watch.alerts import Alerts
from cdc_archive.watch.endpoint import Endpoint
from cdc_archive.watch.log_receiver import LogReceiver
from cdc_archive.watch.message import Message
from cdc_archive.watch.metrics import WatchMetrics
from cdc_archive.watch.notifier import Notifier
from cdc_archive.watch.outbox import Outbox
from cdc_archive.watch.receiver import Receiver
from cdc_archive.watch.webhook import Webhook

SECRETS = ("T0SECRETPATH", "K0SECRET", "hook-token-secret")


class Watch:
    """The loop around a notifier, with its file."""

    def __init__(self, path: Path, *receivers: Receiver) -> None:
        self.database = opened(str(path / "watch.sqlite"))
        self.metrics = WatchMetrics()
        self.notifier = Notifier(
            Alerts(self.database, RESOLVE_S),
            Outbox(self.database, [one.name for one in receivers], PACE),
            receivers,
            self.metrics,
        )

    def turn(self, second: int, *held: str) -> None:
        now_us = START_US + second * SECOND
        self.notifier.tell(now_us)
        self.notifier.update([condition(one) for one in held], now_us)
        self.database.commit()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"cdc_archive_watch_{name}", labels)

    def sent(self, receiver: str, outcome: str = "ok") -> float | None:
        return self.value("alerts_sent_total", receiver=receiver, outcome=outcome)


def webhook(heard: Listener) -> Webhook:
    return Webhook("hook", Endpoint("hook", heard.url, "hook-token-secret"))


def told_once(watch: Watch, heard: Listener) -> None:
    """One turn makes it due, the next hands it over, a later one keeps the answer."""
    before = len(heard.requests)
    watch.turn(0, "keys")
    watch.turn(1, "keys")
    until(lambda: len(heard.requests) > before)
    until(lambda: _settled(watch, 2))


def _settled(watch: Watch, second: int) -> bool:
    watch.turn(second, "keys")
    return watch.sent("hook") == 1


def test_an_alert_goes_to_every_receiver_and_is_counted(tmp_path: Path, heard: Listener) -> None:
    watch = Watch(tmp_path, LogReceiver(), webhook(heard))
    with capture_logs() as logs:
        told_once(watch, heard)
        until(lambda: watch.sent("log") or watch.turn(2, "keys"))
    assert [line["event"] for line in logs] == ["alerts firing"]
    assert json.loads(heard.requests[0].body)["status"] == "firing"
    assert (watch.sent("hook"), watch.sent("hook", "failed")) == (1, 0)


def test_an_alert_is_shown_while_it_fires_and_not_after(tmp_path: Path) -> None:
    watch = Watch(tmp_path, LogReceiver())
    labels = {"kind": "silence", "type": "api_key.created", "service": "keys"}
    watch.turn(0, "keys")
    assert watch.value("alerts", severity="critical", **labels) == 1
    watch.turn(10)
    assert watch.value("alerts", severity="critical", **labels) == 1
    watch.turn(10 + RESOLVE_S)
    assert watch.value("alerts", severity="critical", **labels) is None


def test_an_alert_of_another_severity_is_another_series(tmp_path: Path) -> None:
    watch = Watch(tmp_path, LogReceiver())
    labels = {"kind": "silence", "type": "api_key.created", "service": "keys"}
    for severity, other in (("warning", "critical"), ("critical", "warning")):
        watch.notifier.update([condition(severity=severity)], START_US)
        assert watch.value("alerts", severity=severity, **labels) == 1
        assert watch.value("alerts", severity=other, **labels) is None


def test_after_a_restart_alerts_are_shown_before_the_first_look(tmp_path: Path) -> None:
    Watch(tmp_path, LogReceiver()).turn(0, "keys")
    again = Watch(tmp_path, LogReceiver())
    labels = {"kind": "silence", "type": "api_key.created", "service": "keys"}
    assert again.value("alerts", severity="critical", **labels) == 1


def test_a_restart_sends_nothing_again(tmp_path: Path, heard: Listener) -> None:
    told_once(Watch(tmp_path, webhook(heard)), heard)
    again = Watch(tmp_path, webhook(heard))
    for second in range(3, 600, 10):
        again.turn(second, "keys")
    again.notifier.close(START_US + 600 * SECOND, 5)
    assert len(heard.requests) == 1


def test_a_kill_before_the_answer_is_kept_sends_it_again(tmp_path: Path, heard: Listener) -> None:
    """With the same key, so that the receiver can tell."""
    killed = Watch(tmp_path, webhook(heard))
    killed.turn(0, "keys")
    killed.turn(1, "keys")
    until(lambda: heard.requests)
    killed.database.close()
    told_once(Watch(tmp_path, webhook(heard)), heard)
    keys = [one.headers["Idempotency-Key"] for one in heard.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_closing_keeps_the_answer_to_what_is_under_way(tmp_path: Path, heard: Listener) -> None:
    watch = Watch(tmp_path, webhook(heard))
    watch.turn(0, "keys")
    watch.turn(1, "keys")
    watch.notifier.close(START_US + 2 * SECOND, 10)
    watch.database.commit()
    assert watch.sent("hook") == 1
    again = Watch(tmp_path, webhook(heard))
    again.turn(3, "keys")
    again.notifier.close(START_US + 4 * SECOND, 10)
    assert len(heard.requests) == 1


def test_a_receiver_that_is_down_is_counted_tried_again_and_keeps_its_secrets(
    tmp_path: Path, heard: Listener
) -> None:
    watch = Watch(tmp_path, webhook(heard))
    heard.status = 500
    with capture_logs() as logs:
        for second in range(30):
            watch.turn(second, "keys")
            watch.notifier._lines[0].message is None or until(watch.notifier._lines[0].answer.done)
    assert watch.sent("hook", "failed") == 3
    assert {line["trouble"] for line in logs} == {"HTTP 500"}
    assert not any(secret in str(logs) for secret in SECRETS)
    heard.status = 200
    for second in range(30, 60):
        watch.turn(second, "keys")
        watch.notifier._lines[0].message is None or until(watch.notifier._lines[0].answer.done)
    assert watch.sent("hook") == 1


def test_a_receiver_that_hangs_holds_up_neither_the_loop_nor_another(
    tmp_path: Path, heard: Listener
) -> None:
    """And is told of by the metric that CdcArchiveAlertsUndelivered looks at."""
    heard.hold.clear()
    watch = Watch(tmp_path, webhook(heard), LogReceiver())
    with capture_logs() as logs:
        for second in range(0, 700, 10):
            watch.turn(second, "keys", *["users"] * (second > 300))
        until(lambda: watch.sent("log") == 2 or watch.turn(700, "keys", "users"))
    assert watch.sent("hook", "late") == 2
    assert {"a receiver does not answer", "alerts firing"} == {line["event"] for line in logs}
    heard.hold.set()


def test_a_receiver_that_breaks_is_one_that_did_not_take_it(tmp_path: Path) -> None:
    class Broken:
        name = "broken"

        def send(self, message: Message) -> str:
            raise ZeroDivisionError("K0SECRET")

    watch = Watch(tmp_path, Broken())
    with capture_logs() as logs:
        watch.turn(0, "keys")
        watch.turn(1, "keys")
        until(lambda: watch.sent("broken", "failed") or watch.turn(2, "keys"))
    assert [line["trouble"] for line in logs] == ["ZeroDivisionError"]


def test_messages_are_sent_beside_the_loop(tmp_path: Path) -> None:
    threads: list[str] = []

    class Noted:
        name = "noted"

        def send(self, message: Message) -> str:
            threads.append(threading.current_thread().name)
            return ""

    watch = Watch(tmp_path, Noted())
    watch.turn(0, "keys")
    watch.turn(1, "keys")
    until(lambda: threads)
    assert threads == ["tell-noted-0"]


@pytest.mark.parametrize("outcome", ["ok", "failed", "late"])
def test_every_outcome_is_shown_before_it_happens(tmp_path: Path, outcome: str) -> None:
    """Prometheus sees no increase in a series that begins with its first failure."""
    assert Watch(tmp_path, LogReceiver()).sent("log", outcome) == 0
