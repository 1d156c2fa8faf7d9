"""The example schema on the real stack, and the three applications that act on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from support.independent import read_archive
from support.real_stack import RealStack, stop_gracefully, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PLATFORM = ROOT / "tests" / "e2e" / "platform"


SETTINGS = {
    "CDC_ARCHIVE_STORE__URL": "s3://archive/platform",
    "CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": r"platform\..*",
    "CDC_ARCHIVE_KAFKA__GROUP_ID": "platform",
    "CDC_ARCHIVE_KAFKA__METADATA_MAX_AGE_MS": "500",
    "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "1",
}
"""Of the archive that `archive` makes."""


def archive(stack: RealStack, log: Path) -> None:
    """Do all acts while a worker archives them; `log` is the worker's."""
    prepare(stack)
    worker = stack.worker(log, **SETTINGS)
    try:
        act(stack)
        wait_until(lambda: is_whole(stack), "all of it to be archived", 90)
    finally:
        code = stop_gracefully(worker)
    assert code == 0, log.read_text()[-3000:]
    stack.unregister("platform")


def is_whole(stack: RealStack) -> bool:
    """Whether the last act is there, and of each transaction as many messages as its end says."""
    records = [
        record
        for of_partition in read_archive(stack.s3(), "archive", "platform").values()
        for record in of_partition
    ]
    last = [record for record in records if record["op"] == "c" and '"last"' in record["after"]]
    counts = Counter(record["op"] for record in records)
    ends = [json.loads(record["envelope"]) for record in records if record["op"] == "end"]
    within = [one for one in records if one["op"] in "cudtm" and one["transaction"] != "null"]
    return (
        len(last) == 1
        and counts["begin"] == counts["end"]
        and sum(end["event_count"] for end in ends) == len(within)
    )


def prepare(stack: RealStack) -> None:
    """Make the schema and what tells its actors, and start Debezium on it."""
    actors = "".join(one.read_text() for one in sorted((EXAMPLES / "actor").glob("*.sql")))
    stack.psql((EXAMPLES / "audit-schema" / "schema.sql").read_text())
    stack.psql("SET search_path = platform;" + actors + (PLATFORM / "setup.sql").read_text())
    stack.register(
        "platform",
        **{"schema.include.list": "platform", "publication.name": "platform_audit"},
    )


def act(stack: RealStack) -> None:
    """Do all acts, each once; the last one makes an account `last`."""
    stack.psql((PLATFORM / "workload.sql").read_text())
    for application in ("by_sqlalchemy.py", "by_django.py"):
        _run(stack, application)
    stack.psql("INSERT INTO platform.account (id, email) VALUES ('last', 'last@example.com')")


def _run(stack: RealStack, application: str) -> None:
    port = str(stack.state.port("postgres"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PLATFORM / application), port],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
