"""What is measured: ours by each client, and the floors. Each takes one topic, once, and ends."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench import stored
from bench.filled import Topic
from bench.proxy import Proxy
from bench.stack import bucket, cpu_seconds, ended, s3_port
from bench.watched import free_port
from infra.local.parts import BUCKET

_EVERY_S, _PATIENCE_S = 0.1, 900
_IDLE_SAMPLES, _IDLE_CPU_S = 10, 0.1
"""A worker that takes less CPU over so many samples is asked whether it has read everything."""
_MESSAGES = re.compile(r"^cdc_archive_messages_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)


_COMPILED = """
from cdc_archive.archive.writer import express
from cdc_archive.cli.main import main
assert express.compiled, "the express lane is not compiled: is there a C compiler?"
main()
"""
_IN_PYTHON = """
import sys
sys.modules["cdc_archive.archive.writer.compiled_lane"] = None
from cdc_archive.cli.main import main
main()
"""


class Cost(NamedTuple):
    """What a run took. `cpu_s` is the process's own, without `start_up_s`: CPU before it read."""

    wall_s: float
    cpu_s: float
    start_up_s: float
    peak_bytes: int
    stored_bytes: int = 0
    objects: int = 0
    commits: int = 0
    requests: Mapping[str, int] = Counter()  # never changed


def floor(what: str, topic: Topic) -> Cost:
    """See bench/floors.py."""
    command = [sys.executable, "-m", "bench.floors", what, topic.name, str(topic.events)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def ours(
    topic: Topic,
    client: str,
    folder: Path,
    *,
    compiled: bool = True,
    prefix: str = "",
    archived: int = 0,
) -> Cost:
    """`cdc-archive worker`, everything at its default but for the client; each row is counted.

    Args:
        topic: what it takes.
        client: `librdkafka` or `kafka-python`.
        folder: for its log.
        compiled: whether it finds its compiled express lane.
        prefix: of the archive; "": a new one.
        archived: how many messages of the topic are there already.

    Raises:
        AssertionError: what was archived is not what was sent, or the worker died.
    """
    proxy = Proxy(s3_port())
    prefix, port = prefix or f"ours-{secrets.token_hex(4)}", free_port()
    log = folder / f"{prefix}.log"
    given = {
        "STORE__ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
        "STORE__URL": f"s3://{BUCKET}/{prefix}",
        "KAFKA__TOPICS": topic.name,
        "KAFKA__GROUP_ID": prefix,
        "KAFKA__CLIENT": client,
        "WORKER__HTTP_PORT": str(port),
        "WORKER__LOG_FORMAT": "json",
    }
    environment = os.environ | {f"CDC_ARCHIVE_{name}": value for name, value in given.items()}
    command = [sys.executable, "-c", _COMPILED if compiled else _IN_PYTHON, "worker"]
    try:
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        cost = _watched(process, log, topic.events - archived, port)
    finally:
        proxy.close()
    kept = stored.in_bucket(bucket(), prefix)
    assert kept.rows == topic.by_partition, f"sent {topic.by_partition}, archived {kept.rows}"
    return cost._replace(
        stored_bytes=kept.bytes, objects=kept.files, commits=kept.commits, requests=proxy.requests
    )


def _watched(process: subprocess.Popen[bytes], log: Path, events: int, port: int) -> Cost:
    """Ask it to stop when it has nothing to do; the wait for that is not counted."""
    while b"partition assigned" not in log.read_bytes():
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.02)
    began, start_up = time.monotonic(), cpu_seconds(process.pid)
    seen: deque[tuple[float, float]] = deque(maxlen=_IDLE_SAMPLES)
    while (
        len(seen) < _IDLE_SAMPLES or seen[-1][1] - seen[0][1] > _IDLE_CPU_S or _taken(port) < events
    ):
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() - began < _PATIENCE_S, log.read_text()[-3000:]
        time.sleep(_EVERY_S)
        seen.append((time.monotonic(), cpu_seconds(process.pid)))
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    cpu_s, peak = ended(process)
    assert process.returncode == 0, log.read_text()[-3000:]
    wall = seen[0][0] - began + time.monotonic() - asked
    return Cost(wall, cpu_s - start_up, start_up, peak)


def _taken(port: int) -> int:
    """Messages that a worker took, as it tells itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as http:
        text = http.read().decode()
    return sum(int(float(count)) for count in _MESSAGES.findall(text))
