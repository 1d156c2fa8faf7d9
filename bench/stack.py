"""What benchmarks share: clients of the stack, set up as the worker is, and what /proc tells."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

from infra.local.parts import BUCKET

_LOOK_S = 0.01
_TICKS = os.sysconf("SC_CLK_TCK")


def servers() -> dict[str, Any]:
    """librdkafka's settings."""
    address = os.environ["CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS"]
    return {"bootstrap.servers": address, "log_level": 0}


def bucket() -> Any:
    """A client of the S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=os.environ["CDC_ARCHIVE_STORE__ENDPOINT_URL"],
        aws_access_key_id=os.environ["CDC_ARCHIVE_STORE__ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY"],
        region_name=os.environ["CDC_ARCHIVE_STORE__REGION"],
    )


def objects(s3: Any, prefix: str) -> dict[str, int]:
    """Sizes by key of all objects under a prefix of the bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}


def peak_bytes(pid: int | str) -> int:
    """The most that a process held by the kernel's own mark, all processes of a group together.

    Not `ru_maxrss`: that begins with what the parent held.
    """
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        own = int(found[1]) * 1024 if found else 0
        return own + sum(peak_bytes(child) for child in children(pid))
    return 0


def ended(process: subprocess.Popen[bytes]) -> tuple[float, int]:
    """Wait for its end; CPU seconds that it took in all, and its peak in bytes."""
    peak, pid = 0, 0
    while not pid:
        peak = max(peak, peak_bytes(process.pid))
        time.sleep(_LOOK_S)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime, peak


def s3_port() -> int:
    """Where the S3 server listens."""
    return int(os.environ["CDC_ARCHIVE_STORE__ENDPOINT_URL"].rpartition(":")[2])


def cpu_seconds(pid: int | str) -> float:
    """What a process and its children took until now."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(stat[11]) + int(stat[12])) / _TICKS
    return own + sum(map(cpu_seconds, children(pid)))


def children(pid: int | str) -> list[str]:
    """Processes that it began and that still run."""
    found: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ended meanwhile
            found += (task / "children").read_text().split()
    return found
