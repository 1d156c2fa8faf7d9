"""The data files of one commit while they grow: each record goes to the file of its identity."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Final

from cdc_archive.archive.format import avro, layout
from cdc_archive.archive.writer.open_file import (
    RECORD_BYTES,
    Beside,
    FileFormat,
    FileIdentity,
    OpenFile,
    at_once,
)
from cdc_archive.changelog.hour import Hour, hour_of, plausible
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord, JsonText
from cdc_archive.decode.decoder import Decoded
from cdc_archive.errors import Undecodable
from cdc_archive.source.message import Message

_BAD_NAME: Final = "the name of a header is not UTF-8"


class Files:
    """Files of one topic partition, open in memory.

    Args:
        partition: the topic partition that all records come from.
        form: how files are written.
        incarnation: of the log that the offsets belong to.
        beside: where blocks are compressed.
    """

    def __init__(
        self,
        partition: TopicPartition,
        form: FileFormat,
        incarnation: int = 0,
        beside: Beside = at_once,
    ) -> None:
        self.buffered_bytes = 0
        self.newest_event_us: int | None = None
        self._partition = partition
        self._form = form
        self._incarnation = incarnation
        self._beside = beside
        self.prefix = avro.position(partition)
        self.opened: dict[FileIdentity, OpenFile] = {}
        self.unsettled: deque[OpenFile] = deque()
        self.schemas: dict[JsonText, tuple[str, JsonText]] = {}

    def add(self, decoded: Decoded) -> None:
        """Put a change into the file of its table, hour and schema.

        Raises:
            Undecodable: Avro cannot hold it; nothing was taken of it.
        """
        record = decoded.record
        time = record.event_time_us
        fingerprint, schema = self._known_schema(decoded.value_schema)
        identity = FileIdentity(layout.CHANGES, record.table, hour_of(time), fingerprint)
        try:
            encoded = avro.change(self.prefix, record)
        except UnicodeEncodeError:
            raise Undecodable("invalid_header_name", _BAD_NAME) from None
        self._append(identity, schema, encoded, record.offset, time, record.op, record)
        if time is not None:
            newest = self.newest_event_us
            self.newest_event_us = time if newest is None else max(newest, time)

    def quarantine(self, message: Message, error: Undecodable) -> None:
        """Keep a message whole, with the reason why it is no change."""
        us = message.timestamp * 1000
        hour = hour_of(us if plausible(us) else None)
        identity = FileIdentity(layout.QUARANTINE, message.topic, hour, None)
        encoded = avro.quarantined(self.prefix, message, error.reason, error.detail)
        self._append(identity, None, encoded, message.offset, None, error.reason)

    def _append(
        self,
        identity: FileIdentity,
        schema: JsonText | None,
        encoded: bytes,
        offset: int,
        event_time_us: int | None,
        label: str,
        record: ChangeRecord | None = None,
    ) -> None:
        file = self.opened.get(identity)
        began = file is None
        if file is None:
            file = self.opened[identity] = OpenFile(
                identity, self._partition, schema, self._form, self._incarnation, self._beside
            )
        if record is not None:
            file.note_keys(record)
        filled = file.append(encoded, offset, event_time_us, label)
        self.buffered_bytes += len(encoded) + RECORD_BYTES + (file.head_bytes if began else 0)
        if filled:
            self.unsettled.append(file)
            self.settle()

    def settle(self) -> None:
        """Take note of blocks that were compressed by now."""
        while self.unsettled:
            freed = self.unsettled[0].settle()
            if freed is None:
                return
            self.buffered_bytes -= freed
            self.unsettled.popleft()

    def _known_schema(self, schema: JsonText | None) -> tuple[str, JsonText] | tuple[None, None]:
        """Its fingerprint, and the one copy of it that is held."""
        if schema is None:
            return None, None
        known = self.schemas.get(schema)
        if known is None:
            known = self.schemas[schema] = (hashlib.sha256(schema).hexdigest(), schema)
            self.buffered_bytes += len(schema)
        return known

    def __len__(self) -> int:
        return len(self.opened)

    def in_order(self) -> Sequence[OpenFile]:
        """The open files, in an order that the data alone decides."""
        return [self.opened[identity] for identity in sorted(self.opened, key=_order)]

    def oldest_hour(self) -> Hour | None:
        """The earliest hour among the open files of changes."""
        hours = [identity.hour for identity in self.opened if identity.kind == layout.CHANGES]
        return min(hours, default=None)


def _order(identity: FileIdentity) -> tuple[str, str, Hour, str]:
    return (*identity[:3], identity.value_schema or "")
