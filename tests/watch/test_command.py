"""`cdc-archive watch` as a process, over a broker that speaks Kafka's protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.listener import Request, listener, until
from support.mock_broker import MockBroker, mock_broker
from support.watched import AUDIT, World

CLIENTS = ["kafka-python", "librdkafka"]


def user(number: int, name: str = "Ann") -> dict[str, Any]:
    return {"id": number, "name": name}


@pytest.fixture(scope="module")
def broker() -> Iterator[MockBroker]:
    with mock_broker() as made:
        yield made


class Bench:
    """A world whose messages go to a broker, and commands that watch it."""

    def __init__(self, folder: Path, broker: MockBroker, client: str) -> None:
        self.world = World(folder)
        self.world.now_s = time.time() - 300
        self.broker = broker
        self.names = {name: broker.topic() for name in (AUDIT, "pg.app.user")}
        self.folder = folder
        self.hooks: list[dict[str, Any]] = []
        self.config: dict[str, dict[str, Any]] = {
            "kafka": {
                "bootstrap_servers": [broker.servers],
                "topics": [self.names["pg.app.user"]],
                "client": client,
                "api_version": "2.3",
                "session_timeout_ms": 6000,
            },
            "watch": {
                "published_topics": [self.names[AUDIT]],
                "mapping": str(folder / "rules.toml"),
                "state_dir": str(folder / "state"),
                "group_id": self.names[AUDIT],
                "settle_seconds": 0.2,
                "evaluate_seconds": 0.2,
                "grace_seconds": 1,
                "group_wait_seconds": 0,
                "group_interval_seconds": 0,
                "resolve_seconds": 0,
                "http_port": 0,
            },
            "reconcile": {"service_header": "service"},
            "worker": {"log_format": "json"},
        }

    def produce(self) -> None:
        """What the world did reaches the broker."""
        for log in self.world.source.log.values():
            self.broker.produce(
                one._replace(topic=self.names[one.topic], offset=0)
                for one in log
                if one.topic in self.names
            )
            log.clear()

    def start(self, *options: str) -> subprocess.Popen[str]:
        """The command."""
        lines = []
        for section, values in self.config.items():
            lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items())]
        file = self.folder / "cdc-archive.toml"
        file.write_text("\n".join(lines))
        return subprocess.Popen(
            [sys.executable, "-m", "cdc_archive", "--config", str(file), "watch", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("CDC_ARCHIVE_")},
        )

    def once(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, what `--once --json` says, and stderr."""
        process = self.start("--once", "--json")
        out, err = process.communicate(timeout=90)
        return process.returncode, json.loads(out or "{}"), err


@pytest.fixture(params=CLIENTS)
def bench(tmp_path: Path, broker: MockBroker, request: pytest.FixtureRequest) -> Bench:
    return Bench(tmp_path, broker, request.param)


def test_once_ends_with_23_while_events_are_missing_and_with_0_when_they_were_published(
    bench: Bench,
) -> None:
    lost = []
    for number in range(5):
        change = ("c", "user", None, user(number))
        lost += bench.world.commit(change, published=number == 0)
        bench.world.now_s += 1
    bench.produce()
    code, told, err = bench.once()
    assert code == 23, err
    assert {(one["kind"], one["type"], one["count"]) for one in told["alarms"]} == {
        ("silence", "user.*", 4),
        ("missing", "user.added", 4),
    }
    assert (told["expected"], told["published"]) == (5, 1)
    for one in lost[1:]:
        bench.world.publish(one)
    bench.produce()
    code, told, err = bench.once()
    assert (code, told["alarms"]) == (0, []), err


def test_once_over_topics_that_hold_nothing_is_no_pass(bench: Bench) -> None:
    code, _, err = bench.once()
    assert code == 17
    assert "nothing was compared" in err


@pytest.fixture
def one_bench(tmp_path: Path, broker: MockBroker) -> Bench:
    """With one client: which one does not matter."""
    return Bench(tmp_path, broker, CLIENTS[1])


def kinds(request: Request) -> set[tuple[str, str]]:
    alerts = json.loads(request.body)["alerts"]
    return {(one["labels"]["kind"], one["status"]) for one in alerts}


def test_an_alarm_reaches_the_webhook_once_and_its_end_too_over_a_kill(one_bench: Bench) -> None:
    bench = one_bench
    bench.world.now_s = time.time()
    lost = [
        bench.world.commit(("c", "user", None, user(number)), published=False)[0]
        for number in range(4)
    ]
    bench.produce()
    with listener() as hook:
        bench.config["watch"]["webhook_urls"] = [hook.url]
        process = bench.start()
        until(lambda: hook.requests, 40)
        time.sleep(1)
        process.kill()
        process.communicate()
        first = {kind for one in hook.requests for kind in kinds(one)}
        assert first == {("silence", "firing"), ("missing", "firing")}
        told = len(hook.requests)
        process = bench.start()
        time.sleep(8)
        assert len(hook.requests) == told
        for one in lost:
            bench.world.publish(one)
        bench.produce()
        until(lambda: hook.requests[told:], 40)
        assert kinds(hook.requests[-1]) == {("silence", "resolved"), ("missing", "resolved")}
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err


def test_metrics_and_health_are_served(one_bench: Bench) -> None:
    bench = one_bench
    bench.world.now_s = time.time()
    bench.world.commit(("c", "user", None, user(1)))
    bench.produce()
    process = bench.start()
    assert process.stderr is not None
    address = next(
        one["address"] for one in map(json.loads, process.stderr) if one["event"] == "listening"
    )

    def scraped() -> str:
        with urllib.request.urlopen(address, timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    try:
        until(lambda: 'published_total{service="pg.app",type="user.added"} 1.0' in scraped(), 40)
        until(lambda: 'expected_total{service="lab.app",type="user.added"} 1.0' in scraped(), 40)
        text = scraped()
        assert "cdc_archive_watch_heartbeat_timestamp_seconds 1.7" in text
        with urllib.request.urlopen(address.replace("/metrics", "/healthz"), timeout=5) as answer:
            assert json.load(answer) == {"ok": True, "wrong": []}
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_canary_that_no_topic_brings_is_told_before_anything_is_read(one_bench: Bench) -> None:
    one_bench.config["watch"]["canary_topic"] = "pg.app.heartbeet"
    process = one_bench.start("--once")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "watch.canary_topic is pg.app.heartbeet, which is none of the topics" in err
