"""The same messages by the express lane and by the plain way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cdc_archive.archive.writer.batch import AT_THE_BEGINNING, Batch, Follows
from cdc_archive.archive.writer.open_file import DataFile, FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import StreamBroken
from cdc_archive.source.message import Message

T = TopicPartition("pg.app.t", 3)


def later(value: bytes, us: int) -> bytes:
    """The same change at another time."""
    value = re.sub(rb'"ts_ms":\d+', b'"ts_ms":%d' % (us // 1000), value)
    return re.sub(rb'"ts_us":\d+', b'"ts_us":%d' % us, value)


def _batch(follows: Follows) -> Batch:
    return Batch(T, 7, Decoder().decode, FileFormat("null", 3_000), skip=False, follows=follows)


Result = tuple[list[DataFile], object, object, Counter[str]]


def _result(batch: Batch, kinds: Counter[str]) -> Result:
    files = [file.finish() for file in batch.files()]
    facts = (batch.range, batch.messages, batch.absent(), batch.newest_event_us, batch.opened_at)
    return files, facts, batch.source, kinds


def plainly(sent: Sequence[Message], follows: Follows = AT_THE_BEGINNING) -> Result:
    """One after the other by the plain way."""
    batch, kinds = _batch(follows), Counter[str]()
    for message in sent:
        try:
            taken = batch.take(message, 5.0)
        except StreamBroken:
            kinds["broken"] += 1
            break
        kinds[taken.label if taken else "known"] += 1
    return _result(batch, kinds)


def quickly(sent: Sequence[Message], follows: Follows = AT_THE_BEGINNING) -> tuple[Result, int]:
    """As the worker does it; and how many took the lane."""
    batch, kinds, at, quick = _batch(follows), Counter[str](), 0, 0
    while at < len(sent):
        ops = batch.take_quickly(sent, at, 5.0)
        kinds.update(ops)
        at, quick = at + len(ops), quick + len(ops)
        if at == len(sent):
            break
        try:
            taken = batch.take(sent[at], 5.0)
        except StreamBroken:
            kinds["broken"] += 1
            break
        kinds[taken.label if taken else "known"] += 1
        at += 1
    return _result(batch, kinds), quick
