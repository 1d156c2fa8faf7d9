"""Small things that unfold, large things in small places: memory has a bound, and is measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hostile.bounded import MIB, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is told by /proc")

STREAMED = {
    "zstandard": """
        packer = codecs.zstd.ZstdCompressor(1)
        step = bytes(1 << 20)
        bomb = b"".join([packer.compress(step) for _ in range(1024)] + [packer.flush()])
        """,
    "deflate": """
        packer = codecs.zlib.compressobj(1, codecs.zlib.DEFLATED, -15)
        step = bytes(1 << 20)
        bomb = b"".join([packer.compress(step) for _ in range(400)] + [packer.flush()])
        """,
}


@pytest.mark.parametrize("codec", STREAMED)
def test_a_block_that_unfolds_is_refused_on_the_way(codec: str) -> None:
    """A frame that does not tell its size: no more is unpacked than a block may hold."""
    ran = run(
        STREAMED[codec] + f"data = blocks({codec!r}, bomb)",
        "told = refused(ArchiveDamaged, lambda: list(records(data)))",
    )
    assert "the-key: block at byte" in ran.told
    assert "expands to more than 285,212,672 bytes" in ran.told
    assert ran.bytes < 300 * MIB


def test_a_frame_that_tells_a_huge_size_is_not_unpacked() -> None:
    """Whether or not the size is true."""
    ran = run(
        """
        packer = codecs.zstd.ZstdCompressor(1)
        packer.set_pledged_input_size(1 << 30)
        step = bytes(1 << 20)
        bomb = b"".join([packer.compress(step) for _ in range(1024)] + [packer.flush()])
        data = blocks("zstandard", bomb)
        lie = bytearray(codecs.zstd.compress(bytes(100_000), 1))
        assert lie[4] >> 6 == 2  # the size stands in four bytes
        lie[5:9] = b"\\xff\\xff\\xff\\xff"
        lies = blocks("zstandard", bytes(lie))
        small = bytearray(codecs.zstd.compress(bytes(100_000), 1))
        small[5:9] = (99_999).to_bytes(4, "little")
        smaller = blocks("zstandard", bytes(small))
        """,
        """
        bad = (data, lies, smaller)
        told = [refused(ArchiveDamaged, lambda: list(records(one))) for one in bad]
        """,
    )
    assert all("the-key: block at byte" in told for told in ran.told)
    assert ran.bytes < 8 * MIB


def test_a_frame_that_wants_to_look_back_far_is_refused() -> None:
    """A window of 128 MiB and more takes that much memory before the first byte."""
    ran = run(
        """
        level = codecs.zstd.CompressionParameter
        packer = codecs.zstd.ZstdCompressor(options={level.window_log: 27})
        bomb = packer.compress(bytes(1 << 20)) + packer.flush()
        data = blocks("zstandard", bomb)
        """,
        "told = refused(ArchiveDamaged, lambda: list(records(data)))",
    )
    assert "the-key: block at byte" in ran.told
    assert ran.bytes < 8 * MIB


def test_millions_of_tiny_records_are_read_one_by_one() -> None:
    """As values they would take sixty times the block."""
    ran = run(
        """
        one = avro.change(avro.position(t.PARTITION), t.a_record("c", b"")._replace(table="t"))
        count = (200 << 20) // len(one)
        data = container.header(container.schema_text("change_record.avsc"), "zstandard", {}, SYNC)
        data += b"".join(container.block(one * count, count, "zstandard", SYNC))
        """,
        "told = sum(1 for _ in islice(records(data), 100_000))",
    )
    assert ran.told == 100_000
    assert ran.bytes < 450 * MIB


def test_a_header_of_millions_of_entries_is_refused() -> None:
    """Each would cost thirty times its bytes."""
    ran = run(
        """
        many = 5_000_000
        entries = b"".join(avro.sized(b"%07d" % n) + avro.sized(b"") for n in range(many))
        data = container.MAGIC + avro.long(many) + entries + b"\\0" + SYNC
        """,
        "told = refused(ArchiveDamaged, lambda: records(data))",
    )
    assert "more than 64 entries" in ran.told
    assert ran.bytes < 8 * MIB


@pytest.mark.parametrize("what", ["commit", "archive.json", "data file", "probe"])
def test_a_gigabyte_under_a_key_of_the_archive_is_not_read(tmp_path: Path, what: str) -> None:
    """Object, size and limit are named, and nothing is read."""
    ran = run(
        f"""
        from cdc_archive.archive.reader.reader import ArchiveReader
        from cdc_archive.archive.writer import root
        from cdc_archive.storage.local import LocalStore
        from cdc_archive.storage.retry import Patience, RetryingStore
        folder, what = Path({str(tmp_path)!r}), {what!r}
        store = RetryingStore(LocalStore(folder), Patience())
        file = t.finished(message(change()))
        key = "commits/pg.app.t/0/000000000000.json"
        if what != "probe":
            store.create("archive.json", t._INFO.encode())
            store.create(key, t.a_commit(file.entry).encode())
            store.create(file.entry.key, file.data)
        path = folder / {{"commit": key, "archive.json": "archive.json", "probe": "archive.probe",
                         "data file": file.entry.key}}[what]
        with path.open("ab") as sparse:
            sparse.truncate(1 << 30)
        def use():
            if what == "probe":
                root.open_or_create(store, time.time, lambda: "new")
            reader = ArchiveReader(store)
            for partition in reader.partitions():
                list(reader.scan(partition))
        """,
        "told = refused(ObjectTooLarge, use)",
    )
    assert "has 1,073,741,824 bytes, more than the" in ran.told
    assert ran.bytes < 8 * MIB


def test_the_largest_commit_can_be_read() -> None:
    """Hundreds of thousands of files: memory is a few times its bytes."""
    ran = run(
        """
        from msgspec import structs
        file = t.finished(message(change())).entry
        one = commit.msgspec.json.encode(file)
        count = commit.MAX_BYTES // (len(one) + 1) - 10
        data = t.a_commit(file).encode().replace(one, b",".join([one] * count))
        assert len(data) <= commit.MAX_BYTES
        """,
        "told = refused(ArchiveDamaged, lambda: commit.decode(data, 'the-key'))",
    )
    assert "the-key: it accounts for" in ran.told
    assert ran.bytes < 600 * MIB


def test_a_recording_of_one_endless_line_is_refused(tmp_path: Path) -> None:
    """A gigabyte of one line in a megabyte of gzip."""
    ran = run(
        f"""
        import gzip
        from cdc_archive.source.recorded import RecordedSource
        from support.listening import Listener
        path = Path({str(tmp_path)!r}) / "dump.jsonl.gz"
        with gzip.open(path, "wb", 1) as file:
            for _ in range(400):
                file.write(b" " * (1 << 20))
        """,
        "told = refused(SourceInvalid, lambda: RecordedSource([path]).open(Listener()))",
    )
    assert "dump.jsonl.gz, line 1: longer than 134,217,728 bytes" in ran.told
    assert ran.bytes < 300 * MIB


VALUES = {
    "a row as Debezium writes it": (
        """value = change(after={"id": 1, "text": "x" * (64 << 20)})""",
        "c",
        700,
    ),
    "a row in another order": (
        """value = b'{"op":"c","source":{},"after":{"a":"' + b"x" * (64 << 20) + b'"}}'""",
        "c",
        700,
    ),
    "a row of characters of four bytes": (
        """value = '{"op":"c","source":{},"after":{"a":"'.encode()
        value += "🚀".encode() * (16 << 20) + b'"}}'""",
        "c",
        900,
    ),
    "numbers": ("""value = b'{"op":"c","after":[' + b"1.25e-3," * (7 << 20) + b'1]}'""", "c", 1100),
    "lists": (
        """value = b'{"op":"c","after":[' + b"[]," * (21 << 20) + b'1]}'""",
        "too_many_members",
        600,
    ),
    "members": (
        """value = b'{"op":"c","after":1' + b',"a":1' * (10 << 20) + b"}" """,
        "too_many_members",
        600,
    ),
    "a number": ("""value = b'{"op":"c","after":{"n":' + b"9" * (64 << 20) + b"}}" """, "c", 700),
    "a digit too deep": (
        """value = b'{"op":"c","after":' + b"[" * (32 << 20) + b"]" * (32 << 20) + b"}" """,
        "too_many_members",
        600,
    ),
    "a number for a time": (
        """value = b'{"op":"c","after":1,"source":{"ts_ms":' + b"9" * (64 << 20) + b"}}" """,
        "c",
        900,
    ),
    "a table's name": (
        """value = b'{"op":"c","after":1,"source":{"table":"' + b"t" * (64 << 20) + b'"}}' """,
        "name_too_long",
        900,
    ),
    "rubbish": ("""value = b"x" * (64 << 20) """, "not_json", 600),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_64_mib_comes_back_whole(name: str) -> None:
    """From the message through a finished file; memory is some times the message, time is short."""
    prepare, label, most = VALUES[name]
    ran = run(
        prepare.strip().replace("\n        ", "\n"),
        """
        sent = message(value)
        file = t.finished(sent, "zstandard")
        whole = t.read_back(file) == sent
        told = [whole, *file.entry.counts]
        """,
        limit=2560 * MIB,
    )
    assert ran.told == [True, label]
    assert ran.bytes < most * MIB
    assert ran.seconds < 60
