"""Avro files with a byte flipped or missing, that lie about lengths, or that are not ours."""

from __future__ import annotations

import io
import json

import fastavro
import pytest
from support.build import changes
from support.captures import messages

from cdc_archive import schema_files
from cdc_archive.archive.format import avro, container
from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.open_file import DataFile, FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import ArchiveDamaged
from hostile.targets import an_entry, finished, reader_of

CODECS = ["zstandard", "deflate", "null"]
NAME = "change_record.avsc"
SYNC = container.sync_marker(())
HEAD = container.header(container.schema_text(NAME), "null", {}, SYNC)


def a_file(codec: str) -> DataFile:
    """A small file of two blocks: the first ones are a sixteenth of the largest."""
    batch = Batch(
        TopicPartition("pg.app.t", 0), 0, Decoder().decode, FileFormat(codec, 16 * 700), skip=False
    )
    for one in changes(6):
        batch.take(one, 0.0)
    (file,) = batch.files()
    return file.finish()


def read(data: bytes, file: FileEntry) -> list[ArchivedRecord]:
    return list(reader_of(data, file.key).file(file, 0))


@pytest.mark.parametrize("codec", CODECS)
def test_a_flipped_byte_never_gives_another_record(codec: str) -> None:
    """Every byte of the file: the reader refuses by name, the container breaks in no other way."""
    made = a_file(codec)
    for at in range(len(made.data)):
        for flip in (0x01, 0x80, 0xFF):
            bad = made.data[:at] + bytes([made.data[at] ^ flip]) + made.data[at + 1 :]
            with pytest.raises(ArchiveDamaged, match=made.entry.key.split("+")[-1]):
                read(bad, made.entry)
            try:
                list(container.read(bad, NAME, "the-key").records)
            except ArchiveDamaged as error:
                assert "the-key" in str(error)


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_cut_off_anywhere_is_refused_or_ends_at_a_block(codec: str) -> None:
    """Every length; by the reader always, by the container but at the end of a block."""
    made = a_file(codec)
    whole = list(container.read(made.data, NAME, "k").records)
    ends = 0
    for keep in range(len(made.data)):
        with pytest.raises(ArchiveDamaged):
            read(made.data[:keep], made.entry)
        try:
            found = list(container.read(made.data[:keep], NAME, "the-key").records)
        except ArchiveDamaged as error:
            assert "the-key" in str(error)
        else:
            ends += 1
            assert found == whole[: len(found)]
    assert ends == 2  # after the header and after the first of two blocks


def test_a_file_that_grew_is_not_read() -> None:
    """Its commit says how long it is."""
    made = a_file("null")
    with pytest.raises(ArchiveDamaged, match="more than the"):
        read(made.data + b"x", made.entry)


RECORD = avro.change(avro.position(TopicPartition("t", 0)), Decoder().decode(changes(1)[0]).record)
LIES = {
    "count huge": avro.long(1 << 60) + avro.sized(RECORD) + SYNC,
    "count negative": avro.long(-1) + avro.sized(RECORD) + SYNC,
    "count too low": avro.long(0) + avro.sized(RECORD) + SYNC,
    "count too high": avro.long(2) + avro.sized(RECORD) + SYNC,
    "length huge": avro.long(1) + avro.long((1 << 63) - 1) + RECORD + SYNC,
    "length negative": avro.long(1) + avro.long(-5) + RECORD + SYNC,
    "length short": avro.long(1) + avro.long(len(RECORD) - 1) + RECORD + SYNC,
    "length long": avro.long(1) + avro.long(len(RECORD) + 1) + RECORD + SYNC,
    "no records but 2^60": avro.long(1 << 60) + avro.sized(b"") + SYNC,
    "number without end": b"\xff" * 20 + SYNC,
    "number of 70 bits": b"\xff" * 9 + b"\x7f" + SYNC,
    "another sync marker": avro.long(1) + avro.sized(RECORD) + b"\0" * 16,
    "string of 2^60": avro.long(1) + avro.sized(avro.long(1 << 60) + b"abc") + SYNC,
    "string of -2^62": avro.long(1) + avro.sized(avro.long(-(1 << 62)) + b"abc") + SYNC,
    "headers 2^60": avro.long(1)
    + avro.sized(avro.position(TopicPartition("t", 0)) + avro.long(0) * 3 + avro.long(1 << 60))
    + SYNC,
    "ends in a number": b"\x80",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_block_that_lies_is_refused(lie: str) -> None:
    """By name; a length or count takes no memory that the file does not have."""
    with pytest.raises(ArchiveDamaged, match="the-key: block at byte"):
        list(container.read(HEAD + LIES[lie], NAME, "the-key").records)


def header_of(entries: bytes) -> bytes:
    return container.MAGIC + entries + SYNC


OWN = avro.sized(b"avro.schema") + avro.sized(container.schema_text(NAME))
HEADERS = {
    "a million entries": header_of(avro.long(1_000_000) + (avro.sized(b"k") * 2) * 1_000_000),
    "2^60 entries": header_of(avro.long(1 << 60)),
    "-2^63 entries": header_of(avro.long(-(1 << 63)) + avro.long(1)),
    "a name twice": header_of(avro.long(2) + OWN * 2 + b"\0"),
    "a name that is no text": header_of(avro.long(1) + avro.sized(b"\xff") * 2 + b"\0"),
    "a value of 2^62": header_of(avro.long(1) + avro.sized(b"k") + avro.long(1 << 62)),
    "a value of -1": header_of(avro.long(1) + avro.sized(b"k") + avro.long(-1)),
    "no schema": header_of(b"\0"),
    "no sync marker": container.MAGIC + avro.long(1) + OWN + b"\0" + SYNC[:-1],
    "another magic": b"Obj\x02" + HEAD[4:],
    "nothing": b"",
    **{
        f"codec {codec!r}": container.header(container.schema_text(NAME), codec, {}, SYNC)
        for codec in ("snappy", "xz", "", "ZSTANDARD", "null\0", "\x1b[31m")
    },
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_not_ours_is_refused(name: str) -> None:
    """By name, before any block is looked at."""
    with pytest.raises(ArchiveDamaged, match="the-key"):
        container.read(HEADERS[name], NAME, "the-key")


def test_a_codec_need_not_be_told() -> None:
    """Avro: then it is null."""
    data = header_of(avro.long(1) + OWN + b"\0") + b"".join(
        container.block(RECORD, 1, "null", SYNC)
    )
    assert len(list(container.read(data, NAME, "k").records)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"fields": []},
        {"doc": "the same but for a word"},
        {"fields": [{"name": "topic", "type": "bytes"}]},
    ],
    ids=str,
)
def test_a_file_with_another_schema_is_refused(change: dict) -> None:
    """Even if its records could be read."""
    schema = json.loads(schema_files.read(NAME)) | change
    text = json.dumps(schema, separators=(",", ":")).encode()
    with pytest.raises(ArchiveDamaged, match="was not written with"):
        container.read(container.header(text, "null", {}, SYNC), NAME, "the-key")


def test_a_quarantine_file_is_no_file_of_changes() -> None:
    """Nor the other way round."""
    made = finished(messages("pg_jp")[0]._replace(value=b"rubbish"))
    with pytest.raises(ArchiveDamaged, match="was not written with"):
        container.read(made.data, NAME, "k")
    assert fastavro.is_avro(io.BytesIO(made.data))
    assert an_entry(made.data, "k").size == len(made.data)


def test_two_compressed_pieces_in_a_block_are_refused() -> None:
    """What follows the first would be left out."""
    for codec in ("zstandard", "deflate"):
        head = container.header(container.schema_text(NAME), codec, {}, SYNC)
        piece = container.COMPRESS[codec](RECORD)
        for more in (piece, b"\0", b"rubbish"):
            data = head + avro.long(1) + avro.sized(piece + more) + SYNC
            with pytest.raises(ArchiveDamaged, match="bytes follow"):
                list(container.read(data, NAME, "k").records)
