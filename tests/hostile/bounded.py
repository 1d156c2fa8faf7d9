"""Runs code in a process of its own under a limit, and tells how much memory it took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

MIB = 1 << 20
ROOT = Path(__file__).parents[2]
_PRELUDE = """
import json, resource, sys, time
from itertools import islice
from pathlib import Path
import hostile.targets as t
from cdc_archive.archive.format import avro, codecs, commit, container
from cdc_archive.errors import *
from support.build import change, message
SYNC = container.sync_marker(())
def memory(name):
    (line,) = [one for one in open("/proc/self/status") if one.startswith(name + ":")]
    return int(line.split()[1]) * 1024
def forget_the_peak():
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")
def refused(kind, call):
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError("was not refused")
def blocks(codec, data):
    head = container.header(container.schema_text("change_record.avsc"), codec, {}, SYNC)
    return head + avro.long(1) + avro.sized(data) + SYNC
def records(data):
    return container.read(data, "change_record.avsc", "the-key").records
"""
_TAIL = """
took = {"bytes": memory("VmHWM") - before, "seconds": time.monotonic() - began, "told": told}
print(json.dumps(took))
"""


class Ran(NamedTuple):
    """What a piece of code took: bytes beyond what it began with, seconds, and what it told."""

    bytes: int
    seconds: float
    told: Any


def run(prepare: str, measured: str, limit: int = 1536 * MIB) -> Ran:
    """Run `prepare`, then `measured`, which sets `told`; memory of the whole process is limited."""
    code = "\n".join(
        (
            f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))",
            _PRELUDE,
            dedent(prepare),
            "before, began = forget_the_peak(), time.monotonic()",
            dedent(measured),
            _TAIL,
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": ""},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    ran = Ran(**json.loads(done.stdout))
    sys.stdout.write(f"{ran.bytes / MIB:.0f} MiB, {ran.seconds:.2f} s\n")
    return ran
