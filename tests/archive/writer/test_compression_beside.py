"""Blocks are compressed beside the thread that fills them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from support.build import changes

from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.open_file import Beside, FileFormat, at_once
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import Decoder

Made = tuple[bytes, ...]
SENT = changes(2_000)
FORM = FileFormat("zstandard", 4_096)


class Waiting:
    """Does nothing until told to."""

    def __init__(self) -> None:
        self.works: list[tuple[Callable[[], Made], Future[Made]]] = []

    def __call__(self, work: Callable[[], Made]) -> Future[Made]:
        future: Future[Made] = Future()
        self.works.append((work, future))
        return future

    def do(self) -> None:
        """All of it, the last first."""
        while self.works:
            work, future = self.works.pop()
            future.set_result(work())


def _filled(beside: Beside) -> Batch:
    partition = TopicPartition(SENT[0].topic, SENT[0].partition)
    batch = Batch(partition, SENT[0].offset, Decoder().decode, FORM, skip=False, beside=beside)
    at = 0
    while at < len(SENT):
        at += len(batch.take_quickly(SENT, at, 0.0))
        if at < len(SENT):
            batch.take(SENT[at], 0.0)
            at += 1
    return batch


def test_taking_messages_never_waits_for_compression() -> None:
    """All are taken while no block is made; what waits is counted as held, then no more."""
    waiting = Waiting()
    batch = _filled(waiting)
    assert batch.messages == len(SENT)
    assert len(waiting.works) > 50
    raw = sum(len(message.value or b"") for message in SENT)
    assert batch.buffered_bytes > raw
    waiting.do()
    batch.settle()
    assert batch.buffered_bytes == _settled().buffered_bytes
    assert batch.buffered_bytes < raw // 2


def _settled() -> Batch:
    batch = _filled(at_once)
    batch.settle()
    return batch


def test_a_file_is_the_same_in_whatever_order_its_blocks_are_made() -> None:
    """By threads, by nobody until the end and then backwards, or at once."""
    plain = [file.finish() for file in _filled(at_once).files()]
    waiting = Waiting()
    late = _filled(waiting)
    waiting.do()
    with ThreadPoolExecutor(4) as threads:
        beside = _filled(threads.submit)
        assert [file.finish() for file in beside.files()] == plain
        last = [threads.submit(file.finish) for file in late.files()]
        while not all(one.done() for one in last):
            waiting.do()  # the block that is not full is made when the file is closed
        assert [one.result() for one in last] == plain
