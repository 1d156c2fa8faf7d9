"""kafka-python 3.0 forgets what it holds of a paused partition; this reminds it.

Pausing a partition in the middle of a fetched answer parks the rest of the answer. It is taken up
again only while no other answer is being read, and one that was read to its end counts as being
read. The parked partition is not fetched either: after `resume` it may never go on (its fetcher.py,
`fetched_records`, at `_next_partition_records is None`).
"""

from __future__ import annotations

from typing import Any


def remind(consumer: Any) -> None:
    """Let the next poll take up what was parked: drop the answer that was read to its end."""
    fetcher = getattr(consumer, "_fetcher", None)
    if fetcher is not None and not getattr(fetcher, "_next_partition_records", True):
        fetcher._next_partition_records = None  # noqa: SLF001
