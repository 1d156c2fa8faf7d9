"""PostgreSQL, Debezium, Kafka, the worker, S3, replay: all of it real."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from support.independent import read_archive
from support.real_stack import RealStack, stop_gracefully, wait_until
from support.replayed import validators

pytestmark = pytest.mark.e2e

WORKLOAD = Path(__file__).parent / "workload.sql"

ROW_CHANGES = {
    "lab.app.organization": "cuuu",
    "lab.app.project": "cuud",
    "lab.app.service_account": "cuu",
    "lab.app.api_key": "cuuuuu",
    "lab.app.project_user": "cud",
    "lab.app.invite": "cccuudud",
    "lab.app.rate_limit": "cud",
    "lab.app.heartbeat": "c",
}
"""The ops that the workload makes in each table, in order."""

EXPECTED = [
    ("organization.updated", {"changes_requested": {"title": "Acme Inc"}}, "user_2"),
    (
        "organization.updated",
        {
            "changes_requested": {
                "api_call_logging": "enabled",
                "api_call_logging_project_ids": "p1,p2",
            }
        },
        "key_3",
    ),
    ("project.created", {"data": {"name": "one", "title": "One"}}, "user_1"),
    ("service_account.created", {"data": {"role": "member"}}, "user_1"),
    ("api_key.created", {"data": {"scopes": ["read"]}}, "user_1"),
    ("user.added", {"data": {"role": "member"}}, "user_1"),
    ("api_key.updated", {"changes_requested": {"scopes": ["read", "write"]}}, "user_2"),
    ("api_key.updated", {"changes_requested": {"scopes": ["read", "write", "admin"]}}, "user_3"),
    ("api_key.updated", {"changes_requested": {"scopes": ["read"]}}, None),
    ("service_account.updated", {"changes_requested": {"role": "owner"}}, "key_7"),
    ("project.updated", {"changes_requested": {"title": "Uno"}}, "user_6"),
    ("user.updated", {"changes_requested": {"role": "owner"}}, "user_6"),
    ("invite.sent", {"data": {"email": "a@example.com", "role": "reader"}}, "user_1"),
    ("invite.sent", {"data": {"email": "b@example.com", "role": "reader"}}, "user_1"),
    ("invite.sent", {"data": {"email": "c@example.com", "role": "reader"}}, "user_1"),
    ("invite.accepted", {}, "user_8"),
    ("invite.deleted", {}, "user_9"),
    ("rate_limit.updated", {"changes_requested": {"max_requests_per_1_minute": 60}}, "user_1"),
    ("rate_limit.updated", {"changes_requested": {"max_tokens_per_1_minute": 1000}}, "user_2"),
    ("rate_limit.deleted", {}, None),
    ("api_key.deleted", {}, "user_2"),
    ("service_account.deleted", {}, "user_2"),
    ("user.deleted", {}, None),
    ("project.archived", {}, "user_1"),
    ("project.deleted", {}, None),
]
"""Type, payload without its id, and who, for each event that the workload implies, in order."""


def told(event: dict) -> tuple[str, dict, str | None]:
    actor = event["actor"] or {}
    who = actor.get("session", {}).get("user", {}).get("id") or actor.get("api_key", {}).get("id")
    payload = dict(event[event["type"]])
    assert payload.pop("id")
    return event["type"], payload, who


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_every_change_is_archived_and_every_event_comes_back(
    stack: RealStack, tmp_path: Path, client: str
) -> None:
    """What SQL did is in the archive, read without our code, and replays as what it implies."""
    name = client.replace("-", "")
    stack.psql(
        "TRUNCATE app.organization, app.project, app.service_account, app.api_key, "
        "app.project_user, app.invite, app.rate_limit, app.heartbeat"
    )
    stack.register(name)
    settings = {
        "CDC_ARCHIVE_STORE__URL": f"s3://archive/{name}",
        "CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": f"(__debezium-heartbeat\\.)?{name}(\\..*)?",
        "CDC_ARCHIVE_KAFKA__GROUP_ID": name,
        "CDC_ARCHIVE_KAFKA__CLIENT": client,
        "CDC_ARCHIVE_KAFKA__METADATA_MAX_AGE_MS": "500",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "1",
    }
    worker = stack.worker(tmp_path / "worker.log", **settings)
    try:
        stack.psql(WORKLOAD.read_text())
        wait_until(lambda: _last_change_archived(stack, name), "the last change to be archived")
    finally:
        code = stop_gracefully(worker)
    assert code == 0, (tmp_path / "worker.log").read_text()[-3000:]
    archive = read_archive(stack.s3(), "archive", name)
    ops: dict[str, str] = {}
    for records in archive.values():
        for record in records:
            if record["op"] in "cudt" and record["before"] != record["after"]:
                ops[record["table"]] = ops.get(record["table"], "") + record["op"]
    assert ops == ROW_CHANGES
    counts = Counter(record["op"] for records in archive.values() for record in records)
    assert counts["tombstone"] == counts["d"]
    assert counts["begin"] == counts["end"] > 0

    out, provenance = tmp_path / "events.jsonl", tmp_path / "provenance.jsonl"
    done = stack.cli("replay", "--out", str(out), "--provenance", str(provenance), **settings)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [told(event) for event in events] == EXPECTED
    for event in events:
        for validator in validators():
            validator.validate(event)
    proofs = [json.loads(line) for line in provenance.read_text().splitlines()]
    assert [proof["id"] for proof in proofs] == [event["id"] for event in events]
    again = stack.cli("replay", **settings)
    assert again.stdout == out.read_text()
    stack.unregister(name)


def _last_change_archived(stack: RealStack, prefix: str) -> bool:
    listed = stack.s3().list_objects_v2(
        Bucket="archive", Prefix=f"{prefix}/changes/table=lab.app.heartbeat/"
    )
    return listed["KeyCount"] > 0 and _quiet(stack, prefix)


def _quiet(stack: RealStack, prefix: str) -> bool:
    """Whether the rows and the tombstones of the last DELETEs are there too."""
    done = stack.cli("ls", "--json", CDC_ARCHIVE_STORE__URL=f"s3://archive/{prefix}")
    counts = Counter()
    for line in done.stdout.splitlines():
        for part in json.loads(line)["counts"].split():
            op, _, count = part.partition(":")
            counts[op] += int(count)
    return counts["d"] == 5 == counts["tombstone"] and counts["begin"] == counts["end"]
