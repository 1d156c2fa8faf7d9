"""An archive with a long chain of commits, made by the archive's own writer."""

from __future__ import annotations

import os
import secrets
from typing import Any

from bench.filled import Topic
from bench.floors import messages
from cdc_archive.archive.writer.batch import Batch, Follows
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import wiring
from cdc_archive.config.load import load
from cdc_archive.decode.decoder import Decoder
from cdc_archive.source.message import CREATE_TIME, Message
from infra.local.parts import BUCKET


def of(topic: Topic, commits: int) -> str:
    """Archive the first messages of a topic of one partition, a commit each.

    Returns:
        the archive's prefix in the bucket.
    """
    prefix = f"ours-{secrets.token_hex(4)}"
    environment = os.environ | {"CDC_ARCHIVE_STORE__URL": f"s3://{BUCKET}/{prefix}"}
    store = wiring.open_store(load(None, environment, ("store",)).settings)
    committer, _ = wiring.committer(store)
    head, partition, decode = None, TopicPartition(topic.name, 0), Decoder().decode
    found = [one for some in messages(topic.name, commits) for one in some]
    for record in found[:commits]:
        follows = Follows() if head is None else Follows(0, head.source)
        batch = Batch(partition, record.offset(), decode, FileFormat(), skip=False, follows=follows)
        batch.take(_message(record), 0)
        head = committer.commit(batch, head).head
    store.close()
    return prefix


def _message(record: Any) -> Message:
    _, timestamp = record.timestamp()
    key, value, headers = record.key(), record.value(), tuple(record.headers() or ())
    place = (record.topic(), record.partition(), record.offset())
    return Message(*place, timestamp, CREATE_TIME, key, value, headers)
