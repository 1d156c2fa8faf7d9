"""What must hold for any bytes: a function for each kind of input, for Hypothesis and for atheris.

Each raises if its invariant breaks, and returns whether the input was taken for a good one.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from pathlib import Path
from unittest.mock import patch

import msgspec
from support.blocks import METADATA, is_read_alike, outcome, payload_of
from support.blocks import quickly as quick_records
from support.build import message
from support.captures import messages
from support.lanes import T, plainly, quickly
from support.listening import Listener

from cdc_archive import schema_files
from cdc_archive.archive.format import archive_info, change_block, commit, container, layout
from cdc_archive.archive.format.archive_info import ArchiveInfo
from cdc_archive.archive.format.commit import Commit, FileEntry, Writer
from cdc_archive.archive.reader import as_json
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.open_file import DataFile, FileFormat
from cdc_archive.audit import mapping as audit_mapping
from cdc_archive.audit.build import AuditEvent, Builder
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord, ChangeRecord
from cdc_archive.decode.decoder import Decoder, value_of
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, MappingInvalid, SourceInvalid
from cdc_archive.history.fold import Fold
from cdc_archive.history.order import ChangeStream
from cdc_archive.history.states import MemoryStates, Version
from cdc_archive.source.message import Message
from cdc_archive.source.recorded import RecordedSource
from cdc_archive.storage.memory import MemoryStore

PARTITION = TopicPartition("pg.app.t", 0)
_INFO = ArchiveInfo("cdc-archive", 1, "archive-1", "2026-02-19T16:00:00.000+00:00")
_decode = Decoder().decode


def reader_of(data: bytes, key: str) -> ArchiveReader:
    """An archive that holds one object."""
    store = MemoryStore()
    store.create(layout.ARCHIVE_KEY, _INFO.encode())
    store.create(key, data)
    return ArchiveReader(store)


def finished(sent: Message, codec: str = "null") -> DataFile:
    """The file that a batch makes of one message."""
    where = TopicPartition(sent.topic, sent.partition)
    batch = Batch(where, sent.offset, _decode, FileFormat(codec), skip=False)
    assert batch.take(sent, 0.0) is not None
    (file,) = batch.files()
    return file.finish()


def read_back(file: DataFile) -> Message:
    """The message that a finished file holds."""
    reader = reader_of(file.data, file.entry.key)
    if file.entry.kind == layout.QUARANTINE:
        ((found, reason, _),) = reader.quarantined(file.entry)
        assert reason
        return found
    (archived,) = reader.file(file.entry, 0)
    record = archived.record
    value = value_of(record, archived.value_schema)
    return Message(*record[:5], record.key, value, record.headers)


def envelope(data: bytes) -> bool:
    """Any value comes back from its finished file, byte for byte: as a record or in quarantine."""
    sent = message(data)
    file = finished(sent)
    assert read_back(file) == sent
    return file.entry.kind == layout.CHANGES


def express_lane(data: bytes) -> bool:
    """Any value, key and value with it, goes by the express lane where the plain way puts it."""
    good = next(one for one in messages("pg_jp") if one.value and b'"op":"u"' in one.value)
    values = (good.value, data, data, good.value, data)
    sent = [
        good._replace(
            topic=T.topic, partition=T.partition, offset=7 + at, key=data[:200], value=value
        )
        for at, value in enumerate(values)
    ]
    found, _ = quickly(sent)
    assert found == plainly(sent)
    return found[-1]["not_json"] == 0


def block_of_changes(data: bytes) -> bool:
    """Any bytes are read as records, or refused, as the general decoder reads or refuses them:
    by what is compiled, and in Python.
    """
    for one in {change_block.compiled, None}:
        with patch.object(change_block, "compiled", one):
            assert is_read_alike(1, data)
            assert is_read_alike(3, data)
    return "damaged" not in outcome(quick_records(1, data))


def commit_object(data: bytes) -> bool:
    """Bytes are a commit whose keys stay below changes/ and quarantine/, or refused by name."""
    try:
        found = commit.decode(data, "the-key")
    except (ArchiveDamaged, FormatUnknown) as error:
        assert "the-key" in str(error)
        return False
    assert found.accounted == len(found.range)
    assert commit.decode(found.encode(), "k") == found
    for file in found.files:
        top, *parts = file.key.split("/")
        assert top in (layout.CHANGES, layout.QUARANTINE)
        assert len(parts) == 4
        assert not {"", ".", ".."} & set(parts)
    return True


def archive_json(data: bytes) -> bool:
    """Bytes are a description of an archive of ours, or refused by name."""
    try:
        archive_info.decode(data)
    except (ArchiveDamaged, FormatUnknown) as error:
        assert "archive.json" in str(error)
        return False
    return True


def change_file(data: bytes) -> bool:
    """Bytes are a file whose records can be shown and folded, or refused by name."""
    file = an_entry(data, "changes/k")
    try:
        for archived in reader_of(data, file.key).file(file, 0):
            msgspec.json.encode(as_json.view(archived))
            replay_one(archived)
    except ArchiveDamaged as error:
        assert file.key in str(error)
        return False
    return True


def quarantine_file(data: bytes) -> bool:
    """Bytes are a file of messages, or refused by name."""
    file = an_entry(data, "quarantine/k")
    try:
        for found, _, _ in reader_of(data, file.key).quarantined(file):
            assert isinstance(found, Message)
    except ArchiveDamaged as error:
        assert file.key in str(error)
        return False
    return True


def recording(data: bytes) -> bool:
    """Bytes are a recording that is handed out whole, or refused by file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("dump.jsonl.gz" if data[:2] == b"\x1f\x8b" else "dump.jsonl")
        path.write_bytes(data)
        source = RecordedSource([path])
        try:
            source.open(Listener())
        except SourceInvalid as error:
            assert "dump.jsonl" in str(error)
            return False
        while not source.exhausted:
            for found in source.poll(0):
                assert read_back(finished(found)) == found
    return True


def mapping_file(data: bytes) -> bool:
    """Bytes are a mapping, or refused by name."""
    text = data.decode("utf-8", "replace")
    try:
        audit_mapping.parse(text, "the-mapping")
    except MappingInvalid as error:
        assert "the-mapping" in str(error)
        return False
    return True


def row_text(data: bytes) -> bool:
    """Any text as row, key, source or transaction can be placed, folded and made into events."""
    made = 0
    for op in "rcuudct":
        record = a_record(op, data)
        made += replay_one(ArchivedRecord(record, "f", 0, None))
    return made > 0


def replay_one(archived: ArchivedRecord) -> int:
    """Fold and build one record over an empty history; gives the number of events."""
    changes = [*ChangeStream(0, [archived])] * 2
    builder, made = Builder(_rules()), 0
    states = MemoryStates()
    fold = Fold(states)
    for transition in [one for change in changes for one in fold.apply(change)]:
        assert len(transition.change.identity or bytes(12)) == 12
        for event in builder.build(transition):
            if isinstance(event, AuditEvent):
                exact_json(event.event)
                exact_json(event.evidence)
                made += 1
    for key in states.keys(archived.record.table):
        version = states.get(archived.record.table, key)
        assert version is not None
        Version.decode(version.encode())
    return made


@cache
def _rules() -> audit_mapping.Mapping:
    return audit_mapping.load(schema_files.root() / "mappings/openai.toml")


def a_record(op: str, text: bytes) -> ChangeRecord:
    """A change of the table api_key, all of whose parts are this text."""
    headers = (("__debezium.newkey", text),) if op == "d" else ()
    return ChangeRecord(
        *PARTITION, 1, 0, 0, headers, text, op, 1, "source", "lab.app.api_key", *[text] * 5
    )


def an_entry(data: bytes, key: str) -> FileEntry:
    """An entry that vouches for any bytes."""
    sha = commit.digest(data)
    return FileEntry(key, "changes", len(data), sha, 1, 0, 0, "unknown", "unknown", {"c": 1})


def a_commit(*files: FileEntry, **fields: object) -> Commit:
    """A commit of `files`, or of one absent offset."""
    absent = [] if files else [(0, 1)]
    end = max((file.last_offset + 1 for file in files), default=1)
    writer = Writer("cdc-archive", "0", "w")
    made = Commit(
        1, "archive-1", *PARTITION, 0, None, 0, end, [*files], [], absent, [], writer, "now"
    )
    return msgspec.structs.replace(made, **fields)


Target = Callable[[bytes], bool]
TARGETS: dict[str, Target] = {
    one.__name__: one
    for one in (
        envelope,
        express_lane,
        block_of_changes,
        commit_object,
        archive_json,
        change_file,
        quarantine_file,
        recording,
        mapping_file,
        row_text,
    )
}


def seeds(name: str) -> Iterator[bytes]:
    """Good inputs of a target, out of the recorded streams."""
    sample = [one for capture in ("pg_jp", "pg_js", "pg_fl") for one in messages(capture)[::9]]
    values = [*filter(None, (one.value for one in sample))]
    if name in ("envelope", "express_lane"):
        yield from values
    elif name == "block_of_changes":
        yield from map(_block_of, sample)
    elif name == "row_text":
        yield from _texts(sample)
    elif name in ("change_file", "commit_object"):
        yield from (one[name == "commit_object"] for one in _archived(sample))
    elif name == "quarantine_file":
        for bad in (b"", b"rubbish", b"\x00\x01", values[0][:-1]):
            yield finished(message(bad, headers=(("\udcff", b"1"),))).data
    elif name == "archive_json":
        yield _INFO.encode()
    elif name == "mapping_file":
        yield schema_files.read("mappings/openai.toml")
    elif name == "recording":
        line = b'{"topic":"t","partition":0,"offset":3,"timestamp":1771516800000,'
        line += (
            b'"timestamp_type":"CreateTime","headers":[["h","eA=="]],"key":null,"value":"e30="}\n'
        )
        yield line
        yield gzip.compress(line, mtime=0)
    assert container.MAGIC


def _archived(sample: list[Message]) -> Iterator[tuple[bytes, bytes]]:
    """The file of each, and its commit, by each codec in turn."""
    for one, codec in zip(sample, cycle(("null", "deflate", "zstandard")), strict=False):
        file = finished(one._replace(offset=0), codec)
        yield file.data, a_commit(file.entry, topic=one.topic, partition=one.partition).encode()


def _texts(sample: list[Message]) -> Iterator[bytes]:
    yield from (decoded.after for decoded in map(_record_of, sample) if decoded.after)
    yield from (one.key for one in sample if one.key)


def _block_of(sent: Message) -> bytes:
    topic, table = METADATA["cdc.topic"].decode(), METADATA["cdc.folder"].decode()
    return payload_of([_record_of(sent)._replace(topic=topic, partition=0, table=table)])


def _record_of(sent: Message) -> ChangeRecord:
    return _decode(sent).record
