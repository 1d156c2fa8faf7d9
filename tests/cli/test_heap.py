"""The worker's memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
from cdc_archive.cli.heap import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

give_back()
before = resident()
first = b"x" * 30_000_000
del first  # from here on glibc would keep pieces of up to this size
large, kept = [], []
for number in range(40):
    large.append(b"x" * 4_000_000)
    kept.append(b"y" * 2_000)
del large
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator only")
def test_what_is_released_is_given_back_though_small_pieces_lie_between() -> None:
    """glibc would keep all 160 MB of it."""
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(ran.stdout) < 10_000_000
