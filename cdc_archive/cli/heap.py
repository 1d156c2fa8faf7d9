"""The memory of a process: Python's collector told to look rarely, glibc's allocator to give back.

By default each thread takes its memory from an arena of its own, and the size from which memory is
mapped (and so given back on release) grows to 32 MiB with the first large release. A worker whose
messages, blocks and files are large and pass from thread to thread then holds twice what it uses.
But what is mapped costs a page fault for each 4 KiB: what a fetch brings (kafka.fetch_max_bytes) is
not mapped, as that was a third of what it costs to read.

By default the collector looks for cycles whenever 700 more containers were made than freed: many
times in each helping of messages, which are containers, never cycles, and soon gone. That took a
third of a worker's CPU (docs/performance.md).
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_TUNED: Final = {
    _M_ARENA_MAX: ("MALLOC_ARENA_MAX", 2),
    _M_MMAP_THRESHOLD: ("MALLOC_MMAP_THRESHOLD_", 1280 * 1024),
    _M_TRIM_THRESHOLD: ("MALLOC_TRIM_THRESHOLD_", 4 * 1024 * 1024),
}

_MADE_BEFORE_A_LOOK: Final = 50_000
"""More containers than a helping of messages makes; what stays longer is found by its thousands."""


def give_back() -> None:
    """Tune the allocator of this process, where it is glibc's; what the environment sets stays."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for option, (variable, value) in _TUNED.items():
        if variable not in os.environ:
            mallopt(option, value)


def look_rarely() -> None:
    """Look for cycles after 50,000 new containers."""
    gc.set_threshold(_MADE_BEFORE_A_LOOK, *gc.get_threshold()[1:])


def leave_alone_what_is_loaded() -> None:
    """Never again look for cycles in what the program loaded."""
    gc.collect()
    gc.freeze()
