"""kill -9 of Connect within a large transaction: every change is archived, and proven so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.real_stack import RealStack, stop_gracefully, wait_until

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import TopicMissing
from cdc_archive.source.kafka_log import held
from cdc_archive.source.options import KafkaOptions
from infra.local import parts

pytestmark = pytest.mark.e2e
ROWS = 40_000
NAME = "killed"


def in_kafka(stack: RealStack) -> int:
    """How many messages of the table the broker has."""
    options = KafkaOptions(bootstrap_servers=[stack.kafka], group_id="none", topics=(NAME,))
    try:
        return held(options, TopicPartition(f"{NAME}.app.rate_limit", 0)).end
    except TopicMissing:
        return 0


def test_a_transaction_is_proven_complete_through_a_kill_of_connect(
    stack: RealStack, tmp_path: Path
) -> None:
    """Nothing is missing, though the connector began anew within it and changes came twice."""
    stack.psql("TRUNCATE app.rate_limit")
    stack.register(NAME)
    settings = {
        "CDC_ARCHIVE_STORE__URL": f"s3://archive/{NAME}",
        "CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": f"{NAME}(\\..*)?",
        "CDC_ARCHIVE_KAFKA__GROUP_ID": NAME,
        "CDC_ARCHIVE_KAFKA__METADATA_MAX_AGE_MS": "500",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "1",
    }
    insert = "INSERT INTO app.rate_limit (id, project_id, model, max_requests_per_1_minute)"
    stack.psql(f"{insert} SELECT 'r'||n, 'p', 'm', n FROM generate_series(1, {ROWS}) n")
    wait_until(lambda: in_kafka(stack) > ROWS // 10, "the transaction to stream")
    stack.state.kill("connect")
    before = in_kafka(stack)
    assert before < ROWS, "killed too late"
    parts.connect(stack.state)
    stack.register(NAME)
    stack.psql(f"{insert} VALUES ('last', 'p', 'm', 1)")
    worker = stack.worker(tmp_path / "worker.log", **settings)
    try:
        wait_until(lambda: in_kafka(stack) > ROWS, "the rest to stream", 120)
        wait_until(lambda: _transactions(stack, settings).get("complete", 0) >= 2, "it all", 120)
    finally:
        code = stop_gracefully(worker)
    assert code == 0, (tmp_path / "worker.log").read_text()[-3000:]
    done = stack.cli("verify", "--json", **settings)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    (stream,) = result["transactions"]
    assert (stream["connector"], stream["state"]) == (NAME, "complete")
    assert result["counts"]["records"] > in_kafka(stack) > ROWS
    stack.unregister(NAME)


def _transactions(stack: RealStack, settings: dict[str, str]) -> dict[str, int]:
    done = stack.cli("verify", "--json", **settings)
    if done.returncode != 0:
        return {}
    streams = json.loads(done.stdout.splitlines()[-1])["transactions"]
    states: dict[str, int] = streams[0]["transactions"] if streams else {}
    return states
