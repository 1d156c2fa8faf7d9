"""A published log with faults in a real Kafka, against the changes of real applications."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from support.platform_contract import Recovered
from support.platform_events import EXPECTED
from support.platform_stack import SETTINGS
from support.real_stack import RealStack

pytestmark = pytest.mark.e2e

PEOPLE = ("invite.", "user.", "group.")
RULES = [
    {"name": "people", "types": [f"{one}*" for one in PEOPLE]},
    {"name": "rest", "types": ["*"]},
]
ALTERED = {
    "api_key.created": ("data", {"scopes": ["everything"]}),
    "role.created": ("role_name", "emperor"),
    "rate_limit.updated": ("changes_requested", {"max_requests_per_1_minute": 7}),
}
DOUBLED = ("scim.enabled", "certificates.activated", "external_key.registered")
CLIENTS = ["kafka-python", "librdkafka"]


class Log(NamedTuple):
    """A topic, what was lost, altered and doubled on its way there, and the events' window."""

    topic: str
    lost: Counter[str]
    altered: Counter[str]
    doubled: Counter[str]
    window: list[str]


def published(stack: RealStack, truth: list[dict[str, Any]]) -> Log:
    """Publish what really happened, as it was written down by hand, with faults."""
    topic = "audit.published"
    admin = KafkaAdminClient(bootstrap_servers=stack.kafka)
    admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "-1"})])
    admin.close()
    lost, altered, doubled = Counter[str](), Counter[str](), Counter[str]()
    producer = KafkaProducer(bootstrap_servers=stack.kafka)
    for number, (event, (kind, payload, *_)) in enumerate(zip(truth, EXPECTED, strict=True)):
        if kind.startswith(PEOPLE):
            lost[kind] += 1
            continue
        told = event | {"id": f"own-{number}", kind: payload}
        if kind in ALTERED:
            altered[kind] += 1
            member, value = ALTERED[kind]
            told[kind] = payload | {member: value}
        copies = [told]
        if kind in DOUBLED:
            doubled[kind] += 1
            copies.append(told | {"id": f"again-{number}"} if number % 2 else told)
        for one in copies:
            key = one[kind].get("id")
            producer.send(topic, json.dumps(one).encode(), key=key and key.encode())
    producer.flush()
    producer.close()
    first, last = truth[0]["effective_at"], truth[-1]["effective_at"]
    return Log(topic, lost, altered, doubled, ["--from", time(first), "--to", time(last + 1)])


def time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Told(NamedTuple):
    """What reconcile told."""

    code: int
    report: dict[str, Any]
    findings: list[dict[str, Any]]

    def types(self, kind: str) -> Counter[str]:
        return Counter(one["type"] for one in self.findings if one["kind"] == kind)


def reconcile(stack: RealStack, folder: Path, log: Log, client: str, *options: str) -> Told:
    findings, report = folder / "findings", folder / "report"
    done = stack.cli(
        "reconcile",
        f"--published=kafka:{log.topic}",
        f"--findings={findings}",
        f"--report={report}",
        *log.window,
        *options,
        **SETTINGS,
        CDC_ARCHIVE_KAFKA__CLIENT=client,
        CDC_ARCHIVE_RECONCILE__SERVICE=json.dumps(RULES),
    )
    assert report.exists(), done.stderr
    lines = findings.read_text().splitlines()
    return Told(done.returncode, json.loads(report.read_text()), [json.loads(x) for x in lines])


def test_the_planted_faults_are_found_and_mended(platform: RealStack, tmp_path: Path) -> None:
    """One service lost, three types altered, some doubled; then nothing is missing any more."""
    done = platform.cli("replay", *Recovered.arguments(tmp_path), **SETTINGS)
    assert done.returncode == 0, done.stderr
    log = published(platform, Recovered.read(tmp_path).events)
    assert log.lost.total() >= 10
    assert len(log.altered) == len(log.doubled) == 3
    for client in CLIENTS:
        told = reconcile(platform, tmp_path, log, client)
        assert told.code == 22
        assert told.types("missing") == log.lost
        assert told.types("different") == log.altered
        assert told.types("duplicate") == log.doubled
        assert len(told.findings) == sum(x.total() for x in (log.lost, log.altered, log.doubled))
        assert told.report["by_service"]["people"] == {
            "expected": log.lost.total(),
            "missing": log.lost.total(),
            **{
                name: count
                for name, count in told.report["by_service"]["people"].items()
                if name == "actor_unproven"
            },
        }
    fill = ["--backfill", f"kafka:{log.topic}", "--mark"]
    assert reconcile(platform, tmp_path, log, CLIENTS[0], *fill).report["backfilled"] == (
        log.lost.total()
    )
    for client in CLIENTS:
        told = reconcile(platform, tmp_path, log, client, *fill)
        assert told.report["backfilled"] == 0
        assert told.types("missing") == Counter()
        assert told.types("different") == log.altered
        assert told.types("duplicate") == log.doubled
