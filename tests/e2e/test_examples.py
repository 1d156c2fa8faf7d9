"""The example schema on the real stack: three applications act, and each act comes back."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from support import platform_stack
from support.independent import read_archive
from support.platform_contract import PlatformContract, Recovered
from support.real_stack import RealStack, stop_gracefully, wait_until

pytestmark = pytest.mark.e2e

SETTINGS = {
    "CDC_ARCHIVE_STORE__URL": "s3://archive/platform",
    "CDC_ARCHIVE_KAFKA__TOPIC_PATTERN": r"platform\..*",
    "CDC_ARCHIVE_KAFKA__GROUP_ID": "platform",
    "CDC_ARCHIVE_KAFKA__METADATA_MAX_AGE_MS": "500",
    "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "1",
}


@pytest.fixture(scope="module")
def recovered(stack: RealStack, tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    folder = tmp_path_factory.mktemp("platform")
    platform_stack.prepare(stack)
    worker = stack.worker(folder / "worker.log", **SETTINGS)
    try:
        platform_stack.act(stack)
        wait_until(lambda: is_whole(stack), "all of it to be archived", 90)
    finally:
        code = stop_gracefully(worker)
    assert code == 0, (folder / "worker.log").read_text()[-3000:]
    stack.unregister("platform")
    done = stack.cli("replay", *Recovered.arguments(folder), **SETTINGS)
    assert done.returncode == 0, done.stderr
    return Recovered.read(folder)


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


class TestExamples(PlatformContract):
    """What the applications did, after Debezium, the worker and replay."""
