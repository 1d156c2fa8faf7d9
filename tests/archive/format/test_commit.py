"""A commit accounts for every offset of its range, or it is none."""

from __future__ import annotations

import json
from dataclasses import dataclass

import jsonschema
import msgspec
import pytest

from cdc_archive import schema_files
from cdc_archive.archive.format.commit import (
    Commit,
    FileEntry,
    Gap,
    Log,
    Recovered,
    Skipped,
    SourceMark,
    Writer,
    decode,
)
from cdc_archive.errors import ArchiveDamaged, FormatUnknown

FILE = FileEntry(
    key="changes/table=t/date=2026-02-19/hour=16/"
    "t+0+0000000000000000010-0000000000000000012+aaaaaaaaaaaa.avro",
    kind="changes",
    size=10,
    sha256="a" * 64,
    records=3,
    first_offset=10,
    last_offset=12,
    date="2026-02-19",
    hour="16",
    counts={"c": 3},
    table="t",
)
COMMIT = Commit(
    format=1,
    archive="x",
    topic="t",
    partition=0,
    sequence=1,
    previous="b" * 64,
    start=10,
    end=20,
    files=[FILE],
    skipped=[Skipped("settings", 2, 13, 14)],
    absent=[(15, 18)],
    gaps=[Gap(18, 20, "retention", "ann", "2026-02-19T16:00:00Z")],
    writer=Writer("cdc-archive", "0.1.0", "w"),
    committed_at="2026-02-19T16:00:00.000+00:00",
)


def change(**fields: object) -> Commit:
    return msgspec.structs.replace(COMMIT, **fields)


def test_a_commit_comes_back_equal() -> None:
    """Encode, decode: the same value."""
    assert decode(COMMIT.encode(), "k") == COMMIT


FULL = msgspec.structs.replace(
    COMMIT,
    gaps=[*COMMIT.gaps, Gap(20, 20, "r", "ann", "2026-02-19T16:00:00Z", "restarted", "why")],
    log=Log(2, "xtzWWN4bTjitpL3kfd9s5g", 6),
    source=SourceMark("pg", 72_988_648, streaming=True, restart=5),
    recovered=[Recovered("quarantine/topic=t/a.avro", [(1, 3), (7, 8)], [FILE], 1)],
    last_retry=0,
)


@pytest.mark.parametrize("commit", [COMMIT, FULL], ids=["least", "full"])
def test_a_commit_passes_its_json_schema(commit: Commit) -> None:
    """schemas/commit.schema.json describes what is written, and names each member of it."""
    schema = json.loads(schema_files.read("commit.schema.json"))
    schema["additionalProperties"] = False
    for definition in schema["$defs"].values():
        if definition["type"] == "object":
            definition["additionalProperties"] = False
    jsonschema.Draft202012Validator(schema).validate(json.loads(commit.encode()))
    assert decode(commit.encode(), "k") == commit


@dataclass
class Wrong:
    """A commit that must not be, and why."""

    fields: dict
    why: str


WRONG = [
    Wrong({"end": 21}, "accounts for 10 of the 11"),
    Wrong({"absent": []}, "accounts for 7 of the 10"),
    Wrong({"start": 20, "gaps": []}, "is empty"),
    Wrong({"start": 20}, "accounts for 10 of the 0"),
    Wrong({"start": 21}, "ends before it begins"),
    Wrong({"recovered": [Recovered("the-origin", [(1, 3)], [FILE])]}, "recovered from the-origin"),
    Wrong({"sequence": 0}, "only the first commit"),
    Wrong({"previous": None}, "only the first commit"),
    Wrong({"files": [msgspec.structs.replace(FILE, last_offset=20)]}, "reaches out"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.why)
def test_a_commit_that_does_not_add_up_is_neither_written_nor_read(wrong: Wrong) -> None:
    """I4 is checked on both sides."""
    bad = change(**wrong.fields)
    with pytest.raises(ArchiveDamaged, match=wrong.why):
        bad.encode()
    with pytest.raises(ArchiveDamaged, match=wrong.why):
        decode(msgspec.json.encode(bad), "k")


def test_a_commit_of_a_later_format_is_refused_by_name() -> None:
    """It is not called damaged."""
    with pytest.raises(FormatUnknown, match="the-key: format version 2"):
        decode(msgspec.json.encode(change(format=2)), "the-key")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"format":1}', b"[" * 100_000])
def test_what_is_no_commit_is_refused_by_name(data: bytes) -> None:
    """Whatever stands under a commit's key."""
    with pytest.raises(ArchiveDamaged, match="the-key"):
        decode(data, "the-key")


def test_unknown_members_are_ignored() -> None:
    """A later program may add members without a new format version."""
    text = json.loads(COMMIT.encode()) | {"new": 1}
    assert decode(json.dumps(text).encode(), "k") == COMMIT
