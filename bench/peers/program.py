"""Redpanda Connect, Bento or another program that reads their configuration, run by its path."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shlex
import subprocess
from pathlib import Path
from typing import Any

from backports import zstd

from bench.filled import Topic
from bench.peers.meter import Meter
from bench.proxy import Proxy
from bench.stack import bucket, objects, s3_port, servers
from bench.subjects import Cost
from infra.local.parts import BUCKET

FOLDER = Path(__file__).parent
_HOUR_MS = 3_600_000
_UNPACK = {".zst": zstd.decompress, ".gz": gzip.decompress}


def program(command: str, configuration: str, topic: Topic, folder: Path) -> Cost:
    """Let it archive a topic; each row is counted by the lines that it stored.

    Args:
        command: a path with arguments; the configuration's path is added to it.
        configuration: a file of this folder.
        topic: what was sent.
        folder: for its log.

    Raises:
        AssertionError: what is stored is not what was sent, or the program ended.
        OSError: it cannot be started.
    """
    proxy = Proxy(s3_port())
    prefix = f"program-{secrets.token_hex(4)}"
    log = folder / f"{prefix}.log"
    lines = Lines(bucket(), prefix)
    try:
        with log.open("wb") as out:
            running = subprocess.Popen(
                [*shlex.split(command), str(FOLDER / configuration)],
                env=os.environ | environment(topic.name, prefix, proxy.port),
                stdout=out,
                stderr=out,
                cwd=folder,
            )

        def done() -> bool:
            assert running.poll() is None, log.read_text()[-3000:]
            return lines.counted() >= topic.events

        try:
            cost = Meter(running.pid).until(done)
        finally:
            running.terminate()
            running.wait(60)
    finally:
        proxy.close()
    assert lines.counted() == topic.events, f"sent {topic.events}, stored {lines.counted()}"
    return cost._replace(
        stored_bytes=sum(lines.sizes.values()), objects=len(lines.sizes), requests=proxy.requests
    )


def environment(topic: str, prefix: str, port: int) -> dict[str, str]:
    """What the configurations name in braces."""
    return {
        "SERVERS": servers()["bootstrap.servers"],
        "TOPIC": topic,
        "GROUP": prefix,
        "BUCKET": BUCKET,
        "PREFIX": prefix,
        "REGION": os.environ["CDC_ARCHIVE_STORE__REGION"],
        "ENDPOINT": f"http://127.0.0.1:{port}",
        "ACCESS_KEY_ID": os.environ["CDC_ARCHIVE_STORE__ACCESS_KEY_ID"],
        "SECRET_ACCESS_KEY": os.environ["CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY"],
    }


class Lines:
    """Lines in the objects under a prefix; each object is read once.

    Args:
        s3: a client.
        prefix: in the bucket.
    """

    def __init__(self, s3: Any, prefix: str) -> None:
        self._s3, self._prefix = s3, prefix
        self._lines: dict[str, int] = {}
        self.sizes: dict[str, int] = {}

    def counted(self) -> int:
        """Of all objects that are there now.

        Raises:
            AssertionError: an object lies where its table and hour do not belong.
        """
        self.sizes = objects(self._s3, self._prefix)
        for key in self.sizes.keys() - self._lines.keys():
            packed = self._s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            text = _UNPACK[Path(key).suffix](packed)
            where = key.removeprefix(f"{self._prefix}/").rpartition("/")[0]
            assert where == place(text.partition(b"\n")[0]), key
            self._lines[key] = in_lines(text)
        return sum(self._lines.values())


def in_lines(text: bytes) -> int:
    """How many; the last needs no line feed at its end."""
    return text.count(b"\n") + (text[-1:] not in {b"", b"\n"})


def place(value: bytes) -> str:
    """`table/hour` where a message belongs, the hour in hours since 1970."""
    message = json.loads(value)
    source = message.get("payload", message)["source"]
    return f"{source['table']}/{source['ts_ms'] // _HOUR_MS}"
