"""Digests and key records as objects: their schemas, and what is refused."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from support.sealed import BEGUN, HOUR, Keeper, key

from cdc_archive import schema_files
from cdc_archive.archive.format import digest, key_record, layout
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.errors import ArchiveDamaged, FormatUnknown
from cdc_archive.storage.memory import MemoryStore

KEY = "digests/2026/02/19/16.json"


@pytest.fixture(scope="module")
def keeper() -> Keeper:
    made = Keeper(MemoryStore(), key())
    made.commit()
    made.commit("pg.app.user", 1)
    made.now = BEGUN + 2 * HOUR
    assert [one.key for one in made.sealer().due()] == [KEY]
    return made


def _validator(name: str) -> Draft202012Validator:
    commit = Resource.from_contents(json.loads(schema_files.read("commit.schema.json")))
    registry = Registry().with_resource("urn:cdc-archive:commit:1", commit)
    schema = json.loads(schema_files.read(name))
    form = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema, registry=registry, format_checker=form)


def test_a_digest_is_as_its_schema_says(keeper: Keeper) -> None:
    _validator("digest.schema.json").validate(json.loads(keeper.store.get(KEY)))


def test_a_key_record_is_as_its_schema_says(keeper: Keeper) -> None:
    (one,) = keeper.store.list(layout.KEYS)
    _validator("key_record.schema.json").validate(json.loads(keeper.store.get(one.key)))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"format":1', b'"format":2', "format version 2"),
        (b'"sequence":0', b'"sequence":1', "only the first digest has no previous one"),
        (b"T17:00:00", b"T18:00:00", "is no hour"),
        (b"T17:00:00", b"T16:00:00", "is no hour"),
        (b'"partition":1', b'"partition":-1', "not a digest"),
        (b'"topic":"pg.app.user"', b'"topic":"pg.app.a"', "are not in order"),
        (b'"quarantined":', b'"gaps":[],"quarantined":', "stands twice"),
    ],
)
def test_what_cannot_be_a_digest_is_refused(
    keeper: Keeper, old: bytes, new: bytes, told: str
) -> None:
    data = keeper.store.get(KEY)
    assert old in data
    with pytest.raises((ArchiveDamaged, FormatUnknown), match=told):
        digest.decode(data.replace(old, new, 1), KEY)


@pytest.mark.parametrize("kind", [KEY, "keys/"])
@pytest.mark.parametrize("end", [b"\n", b" ", b',"more":1}'])
def test_what_stands_after_a_signature_is_refused(keeper: Keeper, kind: str, end: bytes) -> None:
    """Nobody signed it."""
    (key_of_it, *_) = (one.key for one in keeper.store.list(kind))
    data = keeper.store.get(key_of_it)
    altered = data + end if end.isspace() else data[:-1] + end
    decode = digest.decode if kind == KEY else key_record.decode
    with pytest.raises(ArchiveDamaged, match="does not end in its signature"):
        decode(altered, key_of_it)


def test_a_commit_in_a_digest_is_the_one_that_its_sha256_says(keeper: Keeper) -> None:
    data = keeper.store.get(KEY).replace(b'"from":0', b'"from":1', 1)
    (altered, *_) = digest.decode(data, KEY).chains
    with pytest.raises(ArchiveDamaged, match="not the one that its sha256 says"):
        digest.opened(altered.commits[0], KEY)


def test_members_of_a_later_minor_version_are_ignored(keeper: Keeper) -> None:
    data = keeper.store.get(KEY).replace(b'"quarantined":', b'"new":[1],"quarantined":', 1)
    assert digest.decode(data, KEY).sequence == 0


def test_a_digest_under_another_key_is_refused(keeper: Keeper) -> None:
    moved = "digests/2026/02/19/17.json"
    keeper.store.create(moved, keeper.store.get(KEY))
    with pytest.raises(ArchiveDamaged, match="holds the digest of"):
        ArchiveReader(keeper.store).digests.read(moved)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"format":1', b'"format":2', "format version 2"),
        (b'"public_key":"30', b'"public_key":"31', "not that of its public key"),
        (b'"signature"', b'"signatures"', "not signed by the key"),
        (b'"previous":null', b'"previous":"0123456789abcdef"', "not signed by the key"),
    ],
)
def test_what_cannot_be_a_key_record_is_refused(
    keeper: Keeper, old: bytes, new: bytes, told: str
) -> None:
    (one,) = keeper.store.list(layout.KEYS)
    data = keeper.store.get(one.key)
    assert old in data
    with pytest.raises((ArchiveDamaged, FormatUnknown), match=told):
        key_record.decode(data.replace(old, new, 1), one.key)
