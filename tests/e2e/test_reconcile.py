"""A published log with faults in a real Kafka, against the changes of real applications."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.faulty_log import RULES, Log, published
from support.platform_contract import Recovered
from support.platform_stack import SETTINGS
from support.real_stack import RealStack

pytestmark = pytest.mark.e2e

CLIENTS = ["kafka-python", "librdkafka"]


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
    log = published(platform, "audit.published", Recovered.read(tmp_path).events)
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
