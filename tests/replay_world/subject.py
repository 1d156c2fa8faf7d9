"""What is judged: order, dropping of redeliveries, and fold, given a world's messages."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from support.replayed import of_records, streams

from cdc_archive.history.fold import Fold
from cdc_archive.history.order import in_commit_order
from cdc_archive.history.redelivery import MemorySeen, Redeliveries
from cdc_archive.history.states import MemoryStates
from cdc_archive.history.transition import Transition
from cdc_archive.source.message import Message


def transitions(log: Sequence[Message], shuffled: int = 0) -> list[Transition]:
    """All transitions that the messages prove, connector by connector, in order.

    Args:
        log: the messages of all partitions.
        shuffled: gives the partitions in another order.
    """
    given = streams(log)
    if shuffled:
        Random(shuffled).shuffle(given)
    told: list[Transition] = []
    for changes in of_records(given).values():
        redeliveries, fold = Redeliveries(MemorySeen()), Fold(MemoryStates())
        for change in in_commit_order(changes):
            if redeliveries.is_new(change):
                told += fold.apply(change)
    return told
