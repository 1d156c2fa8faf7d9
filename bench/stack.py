"""What benchmarks share: clients of the stack, set up as the worker is, and what /proc tells."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3


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


def peak_bytes(pid: int | str) -> int:
    """The most that a process held by the kernel's own mark, all processes of a group together.

    Not `ru_maxrss`: that begins with what the parent held.
    """
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        own = int(found[1]) * 1024 if found else 0
        return own + sum(peak_bytes(child) for child in children(pid))
    return 0


def children(pid: int | str) -> list[str]:
    """Processes that it began and that still run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]
