"""Commits and archive.json that were altered, are of a later version, or say what cannot be."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from support.build import change, changes, message
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.format import archive_info, commit
from cdc_archive.archive.format.commit import Commit, Gap, Log, Recovered, Skipped
from cdc_archive.archive.format.layout import ARCHIVE_KEY, commit_key
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, Stop
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits
from hostile.targets import PARTITION, a_commit, finished

FILE = finished(message(change())).entry
GOOD = a_commit(FILE)


def written(count: int = 4) -> MemoryStore:
    """An archive of one partition in several commits."""
    store = MemoryStore()
    Workshop(SimulatedSource(changes(count), batch=1), store, Limits(commit_records=2)).run()
    return store


def with_object(store: MemoryStore, key: str, data: bytes) -> MemoryStore:
    """The same archive, but for one object."""
    other = MemoryStore()
    for stat in store.list(""):
        other.create(stat.key, data if stat.key == key else store.get(stat.key))
    return other


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_a_commit_with_any_byte_flipped_is_found_out(flip: int) -> None:
    """By itself, or by the hash in the commit after it."""
    store = written()
    key = commit_key(PARTITION, 0)
    good = store.get(key)
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
        with pytest.raises((ArchiveDamaged, FormatUnknown), match=r"00000000000[01]\.json"):
            list(chain.walk(with_object(store, key, bad), "archive-1", PARTITION))


def test_a_commit_cut_off_anywhere_is_refused() -> None:
    """Every length but its own."""
    good = GOOD.encode()
    for keep in range(len(good)):
        with pytest.raises(ArchiveDamaged, match="the-key"):
            commit.decode(good[:keep], "the-key")


@dataclass
class Wrong:
    """A commit that says what cannot be: fields of it, fields of its file, and the refusal."""

    why: str
    commit: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)

    def made(self) -> Commit:
        file = msgspec.structs.replace(FILE, **self.file)
        return a_commit(file, **self.commit)


ORIGIN = "quarantine/topic=t/date=unknown/hour=unknown/k.avro"
ESCAPING = msgspec.structs.replace(FILE, key="changes/../../x")
PLACE = "does not stand where"
WRONG = [
    *(
        Wrong(PLACE, file={"key": key})
        for key in (
            "../x",
            "/etc/passwd",
            "changes/../../x",
            "",
            "archive.json",
            "quarantine/" + FILE.key.split("/", 1)[1],
            FILE.key.replace("hour=16", "hour=17"),
            FILE.key + "\0",
            FILE.key.upper(),
        )
    ),
    Wrong(PLACE, file={"table": "../x"}),
    Wrong(PLACE, file={"table": None}),
    Wrong(PLACE, file={"date": "../.."}),
    Wrong(PLACE, file={"hour": "1/6"}),
    Wrong(PLACE, file={"kind": "orphans"}),
    Wrong(PLACE, file={"sha256": "0" * 64}),
    Wrong(PLACE, commit={"topic": "other"}),
    Wrong("its counts", file={"counts": {"c": 2, "u": -1}}),
    Wrong("its counts", file={"counts": {}}),
    Wrong("its counts", file={"counts": {"c": 2**70}}),
    Wrong("event times", file={"min_event_time_us": 2**64, "max_event_time_us": 2**64}),
    Wrong("event times", file={"min_event_time_us": None}),
    Wrong("absent", commit={"absent": [(0, 1), (1, 0)]}),
    Wrong("absent", commit={"end": 2, "absent": [(-5, -4)]}),
    Wrong("absent", commit={"end": 3, "absent": [(1, 2), (1, 2)]}),
    Wrong("absent", commit={"end": 2, "absent": [(1, 2**70), (2**70, 2)]}),
    Wrong("gaps", commit={"end": 2, "gaps": [Gap(7, 8, "r", "a", "t")]}),
    Wrong("gaps", commit={"gaps": [Gap(7, 7, "r", "a", "t", "source")]}),
    Wrong("no file of quarantine", commit={"recovered": [Recovered("../x", [(0, 1)], [FILE])]}),
    Wrong("recovered", commit={"recovered": [Recovered(ORIGIN, [(1, 0), (0, 2)], [FILE])]}),
    Wrong(PLACE, commit={"recovered": [Recovered(ORIGIN, [(0, 1)], [ESCAPING])]}),
    Wrong("skipped", commit={"end": 2, "skipped": [Skipped("settings", 1, 7, 7)]}),
    Wrong("accounts for", file={"records": 2**70}),
    Wrong("accounts for more", commit={"absent": [(0, 10**4299), (0, 10**4299)] * 99}),
    Wrong("before it begins", commit={"start": 10**4299}),
    Wrong("larger than", commit={"end": 2**63, "absent": [(1, 2**63)]}),
    Wrong("larger than", commit={"partition": 2**31}),
    Wrong("larger than", commit={"log": Log(2**63)}),
    Wrong("larger than", commit={"recovered": [Recovered(ORIGIN, [(0, 1)], [FILE], 2**63)]}),
    Wrong("larger than", commit={"sequence": 10**12, "previous": "0" * 64}),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.why)
def test_a_commit_that_cannot_be_is_refused(wrong: Wrong) -> None:
    """By name, with the reason, before any of its keys is followed."""
    data = msgspec.json.encode(wrong.made())
    with pytest.raises(ArchiveDamaged, match=wrong.why) as refused:
        commit.decode(data, "the-key")
    assert "the-key" in str(refused.value)


def test_negative_numbers_are_refused() -> None:
    """Sizes, counts of records, offsets, sequence and partition."""
    for name in ("partition", "sequence", "from", "to"):
        with pytest.raises(ArchiveDamaged):
            commit.decode(json.dumps(json.loads(GOOD.encode()) | {name: -1}).encode(), "k")
    for name in ("size", "records", "first_offset", "last_offset"):
        text = json.loads(GOOD.encode())
        text["files"][0][name] = -1
        with pytest.raises(ArchiveDamaged):
            commit.decode(json.dumps(text).encode(), "k")


@pytest.mark.parametrize(
    "text",
    [
        GOOD.encode()[:-1] + b',"to":1}',
        GOOD.encode()[:-1] + b',"new":1,"new":2}',
        GOOD.encode().replace(b'"size"', b'"size":1,"size"'),
        GOOD.encode()[:-1] + b',"new":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        GOOD.encode()[:-1] + b',"new":' + b"9" * 1_000_000 + b"}",
        GOOD.encode()[:-1] + b',"new":"\xff"}',
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode().decode().encode("utf-16"),
        GOOD.encode().replace(b'"from":0', b'"from":1e999999'),
        GOOD.encode().replace(b'"to":1', b'"to":' + b"9" * 100_000),
        GOOD.encode() + b"{}",
    ],
    ids=lambda text: f"{text[-24:]!r}"[:40],
)
def test_json_that_readers_understand_differently_is_refused(text: bytes) -> None:
    """Repeated members, absurd depth and numbers, other encodings."""
    with pytest.raises(ArchiveDamaged, match="the-key"):
        commit.decode(text, "the-key")


@pytest.mark.parametrize("version", [2, 10**4000, 0, -1])
def test_another_version_says_what_to_do(version: int) -> None:
    """Of a commit and of archive.json, whatever else of their shape has changed."""
    text = json.dumps({"format": version, "archive": "cdc-archive", "all": "new"}).encode()
    with pytest.raises(FormatUnknown, match="Use a newer cdc-archive"):
        commit.decode(text, "k")
    with pytest.raises(FormatUnknown, match="Use a newer cdc-archive"):
        archive_info.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"archive":"other","format":1}',
        b'{"archive":"cdc-archive","format":1,"id":"a","id":"b","created_at":"c"}',
        b'{"archive":"cdc-archive","format":1,"id":7,"created_at":"c"}',
        b'{"archive":"cdc-archive","format":1e999,"id":"a","created_at":"c"}',
        b'{"x":' + b"[" * 1_000_000,
        b"\xff" * 100,
        b'{"archive":"cdc-archive","format":1,"id":"a","created_at":"c"}\0',
    ],
    ids=lambda text: repr(text[:60]),
)
def test_an_archive_json_that_is_none_is_refused(text: bytes) -> None:
    """By name, before anything else is read."""
    store = with_object(written(), ARCHIVE_KEY, text)
    with pytest.raises(ArchiveDamaged, match=r"archive\.json"):
        ArchiveReader(store)


def test_a_commit_under_another_name_is_refused() -> None:
    """Else its partition's records would come twice."""
    store = written()
    store.create("commits/copy/0/000000000000.json", store.get(commit_key(PARTITION, 0)))
    with pytest.raises(ArchiveDamaged, match=r"commits/copy/0/.*holds commit 0 of"):
        ArchiveReader(store).partitions()


def test_a_chain_without_its_beginning_is_refused() -> None:
    """Else the partition would look empty."""
    store, other = written(), MemoryStore()
    for stat in store.list(""):
        if stat.key != commit_key(PARTITION, 0):
            other.create(stat.key, store.get(stat.key))
    with pytest.raises(ArchiveDamaged, match=r"000000000000\.json: missing"):
        ArchiveReader(other).partitions()


def test_a_commit_that_no_reader_would_take_is_not_written() -> None:
    """The worker stops before, and says which setting to lower."""
    skipped = [Skipped("x" * commit.MAX_BYTES, 1, 0, 0)]
    with pytest.raises(Stop, match=r"archive\.commit_records"):
        a_commit(skipped=skipped, absent=[]).encode()
