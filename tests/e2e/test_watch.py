"""The watch over a real Kafka, with changes of a real Debezium."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from support.faulty_log import RULES, published
from support.listener import Listener, listener
from support.platform_contract import Recovered
from support.platform_stack import SETTINGS
from support.real_stack import RealStack, wait_until

from infra.local import parts

pytestmark = pytest.mark.e2e


def types(told: dict[str, Any], kind: str) -> Counter[str]:
    return Counter({one["type"]: one["count"] for one in told["alarms"] if one["kind"] == kind})


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_the_planted_faults_are_told_and_no_others(
    platform: RealStack, tmp_path: Path, client: str
) -> None:
    """One service lost, three types altered, some doubled; the backfill ends what was missing."""
    done = platform.cli("replay", *Recovered.arguments(tmp_path), **SETTINGS)
    assert done.returncode == 0, done.stderr
    log = published(platform, f"audit.{client}", Recovered.read(tmp_path).events)
    settings = {
        **SETTINGS,
        "CDC_ARCHIVE_KAFKA__CLIENT": client,
        "CDC_ARCHIVE_RECONCILE__SERVICE": json.dumps(RULES),
        "CDC_ARCHIVE_WATCH__PUBLISHED_TOPICS": log.topic,
        "CDC_ARCHIVE_WATCH__STATE_DIR": str(tmp_path / "state"),
        "CDC_ARCHIVE_WATCH__GROUP_ID": f"watch-{client}",
        "CDC_ARCHIVE_WATCH__GRACE_SECONDS": "2",
    }
    done = platform.cli("watch", "--once", "--json", **settings)
    assert done.returncode == 23, done.stderr
    told = json.loads(done.stdout)
    assert types(told, "missing") == log.lost
    assert types(told, "different") == log.altered
    assert types(told, "duplicate") == log.doubled
    silent = {(one["type"], one["service"]) for one in told["alarms"] if one["kind"] == "silence"}
    assert {service for _, service in silent} == {"people"}
    assert {one["kind"] for one in told["alarms"]} == {
        "missing",
        "different",
        "duplicate",
        "silence",
    }
    fill = ["--backfill", f"kafka:{log.topic}", *log.window]
    platform.cli("reconcile", f"--published=kafka:{log.topic}", *fill, **settings)
    told = json.loads(platform.cli("watch", "--once", "--json", **settings).stdout)
    assert types(told, "missing") == types(told, "silence") == Counter()
    assert types(told, "different") == log.altered
    assert types(told, "duplicate") == log.doubled


SCHEMA = """
CREATE SCHEMA duty;
CREATE TABLE duty.api_key (
  id text PRIMARY KEY, project_id text, name text, scopes text[], created_by jsonb,
  updated_by jsonb, deleted_at timestamptz, deleted_by jsonb);
CREATE TABLE duty.heartbeat (id int PRIMARY KEY, at timestamptz);
INSERT INTO duty.heartbeat VALUES (1, now());
ALTER TABLE duty.api_key REPLICA IDENTITY FULL;
CREATE PUBLICATION duty FOR TABLES IN SCHEMA duty;
"""
TOPICS = ["duty.duty.api_key", "duty.duty.heartbeat", "duty.transaction"]
AUDIT = "duty.audit"
ANN = {"type": "session", "session": {"user": {"id": "ann", "email": "ann@example.com"}}}


class Service:
    """An application that changes rows, and publishes an event for each: or does not."""

    def __init__(self, stack: RealStack) -> None:
        self._stack = stack
        self.made = 0

    def create(self, *, publishes: bool = True) -> dict[str, Any]:
        """Make a key."""
        self.made += 1
        key = f"key_{self.made}"
        self._stack.psql(
            f"INSERT INTO duty.api_key (id, name, scopes, created_by)"
            f" VALUES ('{key}', '{key}', '{{read}}', '{json.dumps(ANN)}')"
        )
        payload = {"id": key, "data": {"scopes": ["read"]}}
        event = {
            "id": f"own-{self.made}",
            "type": "api_key.created",
            "effective_at": int(time.time()),
            "actor": ANN,
            "api_key.created": payload,
        }
        if publishes:
            self.publish(event)
        return event

    def publish(self, event: dict[str, Any]) -> None:
        with closing(KafkaProducer(bootstrap_servers=self._stack.kafka)) as producer:
            producer.send(AUDIT, json.dumps(event).encode()).get(10)


@contextmanager
def watching(stack: RealStack, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, standing; killed at the end."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cdc_archive", "watch"],
            env=stack.env(settings),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def topics(stack: RealStack) -> set[str]:
    with closing(KafkaAdminClient(bootstrap_servers=stack.kafka)) as admin:
        return set(admin.list_topics())


def kinds(hook: Listener) -> list[tuple[str, str]]:
    """Kind and status of all that was told, in its order."""
    return [
        (one["labels"]["kind"], one["status"])
        for request in hook.requests
        for one in json.loads(request.body)["alerts"]
    ]


def test_an_alarm_comes_within_a_minute_and_only_once(stack: RealStack, tmp_path: Path) -> None:
    """Over kills of the watch and a restart of the broker; and it is told when all is well."""
    stack.psql(SCHEMA)
    stack.register(
        "duty",
        **{
            "schema.include.list": "duty",
            "publication.name": "duty",
            "heartbeat.interval.ms": "1000",
            "heartbeat.action.query": "UPDATE duty.heartbeat SET at = now()",
        },
    )
    service, log = Service(stack), tmp_path / "watch.log"
    service.create()
    wait_until(lambda: {*TOPICS, AUDIT} <= topics(stack), "the connector to make its topics")
    with listener() as hook:
        settings = {
            "CDC_ARCHIVE_KAFKA__TOPICS": ",".join(TOPICS),
            "CDC_ARCHIVE_KAFKA__SESSION_TIMEOUT_MS": "6000",
            "CDC_ARCHIVE_WATCH__PUBLISHED_TOPICS": AUDIT,
            "CDC_ARCHIVE_WATCH__STATE_DIR": str(tmp_path / "state"),
            "CDC_ARCHIVE_WATCH__GROUP_ID": "duty",
            "CDC_ARCHIVE_WATCH__GRACE_SECONDS": "5",
            "CDC_ARCHIVE_WATCH__SETTLE_SECONDS": "1",
            "CDC_ARCHIVE_WATCH__EVALUATE_SECONDS": "1",
            "CDC_ARCHIVE_WATCH__RESOLVE_SECONDS": "1",
            "CDC_ARCHIVE_WATCH__GROUP_INTERVAL_SECONDS": "1",
            "CDC_ARCHIVE_WATCH__HTTP_PORT": "-1",
            "CDC_ARCHIVE_WATCH__WEBHOOK_URLS": hook.url,
        }
        with watching(stack, log, **settings):
            for _ in range(20):
                service.create()
            time.sleep(12)
            assert kinds(hook) == [], log.read_text()[-3000:]
            began = time.monotonic()
            lost = [service.create(publishes=False) for _ in range(4)]
            wait_until(lambda: ("silence", "firing") in kinds(hook), log.read_text, 90)
            assert time.monotonic() - began < 60
            time.sleep(3)
            told = len(hook.requests)
        with watching(stack, log, **settings):
            stack.state.stop("kafka")
            time.sleep(3)
            parts.PARTS["kafka"](stack.state)
            time.sleep(15)
            assert len(hook.requests) == told, "it was told again"
            assert {status for _, status in kinds(hook)} == {"firing"}
            for one in lost:
                service.publish(one)
            wait_until(lambda: ("missing", "resolved") in kinds(hook), log.read_text, 90)
            wait_until(lambda: ("silence", "resolved") in kinds(hook), log.read_text, 90)
            assert len(hook.requests) <= told + 2
    stack.unregister("duty")
