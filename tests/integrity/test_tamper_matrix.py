"""Every kind of damage to every kind of object gives exactly its finding.

The archive is that of support/tamper_world.py. Each row of the tables names what is done, and the
kind and the key of all that verify finds beside the recorded gap that the archive has from the
beginning: without an anchor, and with one that was made before the damage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import pytest
from support.build import HOUR_16_MS
from support.sealed import key as new_key
from support.tamper_world import (
    T,
    World,
    edited,
    put,
    renamed,
    rewritten_by_the_key_holder,
    world,
)

from cdc_archive.archive.format.commit import digest
from cdc_archive.archive.format.signed import KEY, Signature, signed_text, with_signature
from cdc_archive.archive.writer.signing_keys import signed_digest
from cdc_archive.errors import ObjectTooLarge
from cdc_archive.integrity.anchor import Anchor
from cdc_archive.integrity.findings import Finding
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.signing.key_file import KeyFile
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore

Found = list[tuple[str, str]]
W: World = world()
NOW = datetime.fromtimestamp(W.now, UTC)


def t(number: int) -> str:
    return f"commits/pg.app.t/0/{number:012d}.json"


def u(number: int) -> str:
    return f"commits/pg.app.user/0/{number:012d}.json"


def d(hour: int) -> str:
    return f"digests/2026/02/19/{hour}.json"


def k(signer: KeyFile) -> str:
    return f"keys/{hashlib.sha256(signer.public_key).hexdigest()[:16]}.json"


OBJECTS = {
    "the description": "archive.json",
    "the probe": "archive.probe",
    "the first commit": t(0),
    "a sealed commit": t(1),
    "a commit that recovers": t(3),
    "a commit of a gap": u(2),
    "the last sealed commit": t(5),
    "an unsealed commit": t(6),
    "the head": t(7),
    "the head of another chain": u(4),
    "a data file": W.one("table=lab.app.t/", "hour=16"),
    "a later data file": W.one("table=lab.app.t/", "hour=19"),
    "the head's data file": W.one("table=lab.app.t/", "0016-"),
    "a quarantine file": W.one("quarantine", "0003-"),
    "a quarantine file that was recovered from": W.one("quarantine", "0007-"),
    "a recovered file": W.one("table=pg.app.t/"),
    "the first digest": d(16),
    "a digest": d(18),
    "the newest digest": d(20),
    "the first key": k(W.old),
    "the last key": k(W.new),
    "a checkpoint": W.one("checkpoints/", "+"),
    "a checkpoint's part": W.one("checkpoints/", ".zst"),
}
HEAD_FILE, PART = OBJECTS["the head's data file"], OBJECTS["a checkpoint's part"]
JSON_OBJECTS = {name: one for name, one in OBJECTS.items() if one.endswith(".json")}


def look(store: ObjectStore, anchor: Anchor | None = None) -> list[Finding]:
    asked = Asked(trusted=[W.old.public_key], anchor=anchor, now=NOW)
    found = [*Verification(store, asked).run()]
    assert all("\n" not in one.what for one in found)
    return [one for one in found if one.kind != "gap"]


@cache
def anchored() -> Anchor:
    verification = Verification(W.store(), Asked(now=NOW))
    assert [one.kind for one in verification.run()] == ["gap"]
    return verification.head(NOW)


def both(damage: Callable[[MemoryStore], object]) -> tuple[Found, Found]:
    """What is found without an anchor, and with one."""
    found = []
    for anchor in (None, anchored()):
        store = W.store()
        damage(store)
        found.append(sorted((one.kind, one.key) for one in look(store, anchor)))
    return found[0], found[1]


def test_the_archive_has_nothing_but_its_gap() -> None:
    assert both(lambda _: None) == ([], [])


@pytest.mark.parametrize("name", OBJECTS)
def test_a_deleted_object_is_missing(name: str) -> None:
    """The newest, which nothing in the archive names, only against an anchor; the parts of a
    checkpoint are left when its manifest is removed, which is allowed.
    """
    key = OBJECTS[name]
    alone, anchored_ = both(lambda store: store._objects.pop(key))
    if name == "the head":
        assert (alone, anchored_) == ([("orphan", HEAD_FILE)], [("cut", key)])
    elif name == "the newest digest":
        assert (alone, anchored_) == ([], [("cut", key)])
    elif name == "a checkpoint":
        assert alone == anchored_ == [("orphan", PART)]
    elif name == "the head of another chain":
        assert alone == anchored_ == [("cut", key)]
    else:
        assert alone == anchored_ == [("missing", key)]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("name", OBJECTS)
def test_a_byte_anywhere_tells(name: str) -> None:
    """The object alone is blamed. What nothing names yet needs the anchor: so it does to know that
    it was the head's word for the commit before it that was altered, and not that commit.
    """
    key, data = OBJECTS[name], W.objects[OBJECTS[name]]
    kinds = set()
    for at in {*range(0, len(data), max(len(data) // 25, 1)), len(data) - 1}:
        alone, anchored_ = both(lambda store, at=at: put(store, key, flipped(data, at)))
        kinds |= {kind for kind, _ in anchored_}
        assert [where for _, where in anchored_] == [key], (at, anchored_)
        can_be = {"the head": [[key], [], [t(6)]], "the description": [[key], []]}
        assert [where for _, where in alone] in can_be.get(name, [[key]]), (at, alone)
    allowed = {"altered", "moved"} if "commit" in name or "digest" in name else {"altered"}
    if name.endswith("key"):
        allowed = {"unreadable", "forged", "moved", "altered"}
    if name in ("the description", "the newest digest", "the head", "the head of another chain"):
        allowed = {"unreadable", "altered", "moved"}
    assert kinds <= allowed


SPOILT = {
    "is empty": lambda _: b"",
    "is cut short": lambda data: data[:-5],
    "is longer": lambda data: data + b"\n",
    "is no JSON": lambda _: b"\xff{",
    "is deep": lambda _: b'{"format":1,"a":' + b"[" * 100_000,
    "is a huge number": lambda _: b'{"format":1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_object_is_named(name: str, how: str) -> None:
    key = OBJECTS[name]
    alone, anchored_ = both(lambda store: put(store, key, SPOILT[how](store.get(key))))
    assert [where for _, where in alone] == [where for _, where in anchored_] == [key]
    assert {kind for kind, _ in alone} <= {"altered", "unreadable"}


@pytest.mark.parametrize("name", JSON_OBJECTS)
def test_a_later_version_is_not_guessed_at(name: str) -> None:
    key = OBJECTS[name]
    later = W.objects[key].replace(b'"format":1', b'"format":9')
    alone, _ = both(lambda store: put(store, key, later))
    assert [where for _, where in alone] == [key]
    assert alone[0][0] in ("altered", "unreadable")


@pytest.mark.parametrize("name", JSON_OBJECTS)
def test_a_member_that_stands_twice_has_no_meaning(name: str) -> None:
    key = OBJECTS[name]
    twice = W.objects[key][:-1] + b',"format":1}'
    alone, _ = both(lambda store: put(store, key, twice))
    assert [where for _, where in alone] == [key]


class Huge:
    """One object has more bytes than may be there."""

    def __init__(self, inner: MemoryStore, key: str) -> None:
        self._inner, self._key = inner, key

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def get(self, key: str, limit: int | None = None) -> bytes:
        if key == self._key:
            assert limit is not None, "nothing is read without a limit"
            raise ObjectTooLarge(key, 1 << 50, limit)
        return self._inner.get(key, limit)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_huge_object_is_named_and_not_read(name: str) -> None:
    key = OBJECTS[name]
    (found,) = look(Huge(W.store(), key))
    assert found.key == key
    assert found.kind in ("altered", "unreadable")


def by_another(one: str, other: str) -> Callable[[MemoryStore], None]:
    return lambda store: put(store, one, store.get(other))


REPLACED = [
    (t(0), t(1), "moved"),
    (t(1), t(5), "moved"),
    (t(5), t(0), "moved"),
    (t(6), t(1), "moved"),
    (t(7), t(6), "moved"),
    (u(4), t(5), "moved"),
    (OBJECTS["a data file"], OBJECTS["a later data file"], "moved"),
    (OBJECTS["a quarantine file"], OBJECTS["a quarantine file that was recovered from"], "moved"),
    (OBJECTS["a recovered file"], OBJECTS["a data file"], "moved"),
    (d(16), d(18), "moved"),
    (d(18), d(20), "moved"),
    (d(20), d(18), "moved"),
    (k(W.old), k(W.new), "moved"),
    (k(W.new), k(W.old), "moved"),
    ("archive.json", "archive.probe", "unreadable"),
    ("archive.probe", "archive.json", "altered"),
    (OBJECTS["a checkpoint"], t(0), "moved"),
    (PART, OBJECTS["a data file"], "altered"),
]


@pytest.mark.parametrize(("one", "other", "kind"), REPLACED)
def test_another_object_in_its_place_is_told(one: str, other: str, kind: str) -> None:
    """A replay of an old one, too."""
    kind = "altered" if one.startswith("checkpoints/") else kind
    assert both(by_another(one, other)) == ([(kind, one)], [(kind, one)])


SWAPPED = [
    (t(0), t(1), "reordered"),
    (t(1), t(5), "reordered"),
    (t(5), t(6), "reordered"),
    (t(6), t(7), "reordered"),
    (t(5), u(4), "moved"),
    (OBJECTS["a data file"], OBJECTS["a later data file"], "moved"),
    (OBJECTS["a data file"], OBJECTS["a recovered file"], "moved"),
    (OBJECTS["a quarantine file"], OBJECTS["a quarantine file that was recovered from"], "moved"),
    (d(16), d(18), "reordered"),
    (d(18), d(20), "reordered"),
    (k(W.old), k(W.new), "moved"),
]


@pytest.mark.parametrize(("one", "other", "kind"), SWAPPED)
def test_two_exchanged_objects_are_both_told(one: str, other: str, kind: str) -> None:
    def swap(store: MemoryStore) -> None:
        first, second = store.get(one), store.get(other)
        put(store, one, second)
        put(store, other, first)

    expected = sorted([(kind, one), (kind, other)])
    assert both(swap) == (expected, expected)


A_FILE, MANIFEST = OBJECTS["a data file"], OBJECTS["a checkpoint"]
COPIED = [
    (t(7), t(8), "moved"),
    (t(1), t(900_000_000_000), "moved"),
    (t(0), "commits/pg.app.zz/0/000000000000.json", "moved"),
    (t(0), "commits/pg.app.t/1/000000000000.json", "moved"),
    (t(0), "commits/pg.app.t/0/0.json", "extra"),
    (A_FILE, A_FILE.replace("lab.app.t/", "lab.app.z/"), "extra"),
    (A_FILE, A_FILE.replace("00005+", "00009+"), "extra"),
    (A_FILE, A_FILE.replace("hour=16", "hour=17"), "extra"),
    (A_FILE, A_FILE.replace("changes/table=", "quarantine/topic="), "extra"),
    (d(18), d(21), "moved"),
    (d(18), d(15), "moved"),
    (d(18), "digests/2026/02/19/18+3000.json", "moved"),
    (d(18), "digests/newest.json", "extra"),
    (k(W.old), "keys/0123456789abcdef.json", "moved"),
    (k(W.old), "keys/key.pem", "extra"),
    (MANIFEST, MANIFEST.replace("1771527600", "1771527601"), "moved"),
    (PART, PART.replace("1771527600", "1771527601"), "orphan"),
    ("archive.probe", "archive.probe2", "extra"),
]


@pytest.mark.parametrize(("one", "to", "kind"), COPIED)
def test_a_copy_under_another_key_is_told(one: str, to: str, kind: str) -> None:
    assert both(by_another(to, one)) == ([(kind, to)], [(kind, to)])


def removed(*keys: str) -> Callable[[MemoryStore], None]:
    def remove(store: MemoryStore) -> None:
        for one in [one for one in store._objects if one.startswith(keys)]:
            del store._objects[one]

    return remove


USER_FILES = sorted(one for one in W.objects if "table=lab.app.user" in one)
UNSEALED_FILES = [("orphan", W.one("lab.app.t/", "0015-")), ("orphan", HEAD_FILE)]
REMOVED = {
    "the unsealed end of a chain": (removed(t(6), t(7)), UNSEALED_FILES, [("cut", t(6))]),
    "the end of a chain": (removed(t(5), t(6), t(7)), [("cut", t(5))], [("cut", t(5))]),
    "two of a chain": (removed(t(1), t(2)), *2 * [[("missing", t(1)), ("missing", t(2))]]),
    "a chain": (removed("commits/pg.app.user/"), *2 * [[("cut", u(0))]]),
    "all commits": (removed("commits/"), *2 * [[("cut", t(0)), ("cut", u(0))]]),
    "a chain and its files": (
        removed("commits/pg.app.user/", "changes/table=lab.app.user"),
        *2 * [[("cut", u(0)), *(("missing", one) for one in USER_FILES)]],
    ),
    "a table": (
        removed("changes/table=lab.app.user"),
        *2 * [[("missing", one) for one in USER_FILES]],
    ),
    "the newest digests": (removed(d(19), d(20)), [("overdue", d(18))], [("cut", d(20))]),
    "the first digests": (removed(d(16), d(17)), *2 * [[("missing", d(16)), ("missing", d(17))]]),
    "digests between": (removed(d(17), d(18)), *2 * [[("missing", d(17)), ("missing", d(18))]]),
    "all digests": (removed("digests/"), [("cut", "digests/")], [("cut", d(20))]),
    "all digests and keys": (
        removed("digests/", "keys/"),
        [("unsigned", "digests/")],
        [("cut", d(20))],
    ),
    "all keys": (removed("keys/"), *2 * [sorted(("missing", k(one)) for one in (W.old, W.new))]),
    "all checkpoints, as is allowed": (removed("checkpoints/"), [], []),
}


@pytest.mark.parametrize("what", REMOVED)
def test_what_was_removed_is_told(what: str) -> None:
    damage, alone, anchored_ = REMOVED[what]
    assert both(damage) == (sorted(alone), sorted(anchored_))


def unsigned(data: bytes) -> bytes:
    return data[: data.rfind(b',"signature":')] + b"}"


def resigned(hour: int, by: KeyFile | None, **members: object) -> Callable[[MemoryStore], None]:
    def sign(store: MemoryStore) -> None:
        data = edited(unsigned(store.get(d(hour))), **members)
        put(store, d(hour), data if by is None else signed_digest(by, data))

    return sign


def next_digest(by: KeyFile | None, **members: object) -> Callable[[MemoryStore], None]:
    def add(store: MemoryStore) -> None:
        before = store.get(d(20))
        chains = [
            {name: value for name, value in chain.items() if name != "commits"}
            for chain in json.loads(before)["chains"]
        ]
        told = {
            "sequence": 5,
            "start": "2026-02-19T21:00:00+00:00",
            "end": "2026-02-19T22:00:00+00:00",
            "sealed_at": "2026-02-19T22:02:00.000+00:00",
            "previous": digest(before),
            "chains": chains,
            "counts": {},
        }
        data = edited(unsigned(before), **(told | members))
        put(store, d(21), data if by is None else signed_digest(by, data))

    return add


STRANGER = new_key()


def key_record(one: KeyFile, by: KeyFile, previous: KeyFile | None) -> Callable[..., None]:
    def add(store: MemoryStore) -> None:
        record = {
            "key": k(one)[5:-5],
            "public_key": one.public_key.hex(),
            "previous": None if previous is None else k(previous)[5:-5],
        }
        data = edited(unsigned(store.get(k(W.old))), **record)
        signer = k(by)[5:-5]
        value = by.sign(signed_text(KEY, data)).hex()
        put(store, k(one), with_signature(data, Signature(signer, by.algorithm, value)))

    return add


def one_after_the_other(*acts: Callable[[MemoryStore], None]) -> Callable[[MemoryStore], None]:
    def act(store: MemoryStore) -> None:
        for one in acts:
            one(store)

    return act


FORGED = {
    "the newest digest loses its signature": (resigned(20, None), "unsigned", "unsigned", 20),
    "a digest loses its signature": (resigned(18, None), "unsigned", "unsigned", 18),
    "the first digest loses its signature": (resigned(16, None), "unsigned", "unsigned", 16),
    "a stranger signs the newest": (resigned(20, STRANGER), "forged", "altered", 20),
    "a retired key signs the newest": (resigned(20, W.old), "forged", "altered", 20),
    "the new key signs an old one anew": (resigned(18, W.new), "altered", "altered", 18),
    "other counts": (resigned(20, W.new, counts={}), "broken", "altered", 20),
    "no ledger": (resigned(20, W.new, gaps=[]), "broken", "altered", 20),
    "no chains": (resigned(20, W.new, chains=[]), "broken", "altered", 20),
    "another window": (
        resigned(20, W.new, start="2026-02-19T20:30:00+00:00"),
        "broken",
        "altered",
        20,
    ),
    "another predecessor": (resigned(20, W.new, previous="0" * 64), "broken", "altered", 20),
    "another archive": (resigned(20, W.new, archive="other"), "moved", "moved", 20),
    "a next one, unsigned": (next_digest(None), "unsigned", "unsigned", 21),
    "a next one by a stranger": (next_digest(STRANGER), "forged", "forged", 21),
    "a next one by a retired key": (next_digest(W.old), "forged", "forged", 21),
    "a next one of another number": (next_digest(W.new, sequence=9), "broken", "broken", 21),
    "a next one without the ledger": (next_digest(W.new, gaps=[]), "broken", "broken", 21),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_digest_is_told(what: str) -> None:
    """By its signature, by the next digest, by the anchor, or by what it says itself."""
    damage, alone, anchored_, hour = FORGED[what]
    assert both(damage) == ([(alone, d(hour))], [(anchored_, d(hour))])


def test_a_key_that_nobody_vouches_for_is_told_and_what_it_signs() -> None:
    for add, kind in (
        (key_record(STRANGER, STRANGER, None), "forged"),
        (key_record(STRANGER, STRANGER, W.new), "unreadable"),
        (key_record(STRANGER, W.old, W.old), "forged"),
    ):
        assert both(add) == ([(kind, k(STRANGER))], [(kind, k(STRANGER))])
    both_ = one_after_the_other(key_record(STRANGER, STRANGER, None), resigned(20, STRANGER))
    assert both(both_)[0] == sorted([("forged", k(STRANGER)), ("forged", d(20))])


def test_a_given_key_that_is_not_the_archives_is_one_finding() -> None:
    asked = Asked(trusted=[STRANGER.public_key], now=NOW)
    found = [one for one in Verification(W.store(), asked).run() if one.kind != "gap"]
    assert [(one.kind, one.key) for one in found] == [("forged", k(W.old))]


def next_commit(**members: object) -> Callable[[MemoryStore], None]:
    def add(store: MemoryStore) -> None:
        head = store.get(t(7))
        told = {
            "sequence": 8,
            "previous": digest(head),
            "from": 17,
            "to": 27,
            "files": [],
            "absent": [[17, 27]],
            "committed_at": "2026-02-19T21:04:00.000+00:00",
        }
        put(store, t(8), edited(head, **(told | members)))

    return add


ADDED = {
    "that covers what others cover": (
        next_commit(**{"from": 14, "to": 24, "absent": [[14, 24]]}),
        "overlapping",
    ),
    "that leaves offsets out": (
        next_commit(**{"from": 19, "to": 29, "absent": [[19, 29]]}),
        "broken",
    ),
    "of an hour before the last digest": (
        next_commit(committed_at="2026-02-19T18:30:00.000+00:00"),
        "extra",
    ),
    "of the hour of the last digest": (
        next_commit(committed_at="2026-02-19T20:30:00.000+00:00"),
        "unsealed",
    ),
    "of no time": (next_commit(committed_at="soon"), "broken"),
    "of another archive": (next_commit(archive="other"), "moved"),
    "of a file that is another's": (
        lambda store: next_commit(files=json.loads(store.get(t(7)))["files"])(store),
        "unreadable",
    ),
}


@pytest.mark.parametrize("what", ADDED)
def test_a_forged_commit_is_told(what: str) -> None:
    """What fits in every way is the next commit: the next digest or anchor tells."""
    damage, kind = ADDED[what]
    assert both(damage) == ([(kind, t(8))], [(kind, t(8))])


def test_a_chain_that_was_added_is_told() -> None:
    first = "commits/pg.app.zz/0/000000000000.json"

    def add(store: MemoryStore) -> None:
        members = {"topic": "pg.app.zz", "sequence": 0, "previous": None, "files": []}
        members |= {"absent": [[16, 17]], "committed_at": "2026-02-19T18:30:00.000+00:00"}
        commit = json.loads(store.get(t(7))) | members
        del commit["last_retry"]
        put(store, first, json.dumps(commit, separators=(",", ":")).encode())

    assert both(add) == ([("extra", first)], [("extra", first)])


def test_hashes_recomputed_up_the_chain_do_not_help_without_the_key() -> None:
    """Each rewritten commit is another than digests hold; nothing else is blamed."""
    alone, anchored_ = both(lambda store: renamed(store, 1))
    sealed = [("altered", t(number)) for number in range(1, 6)]
    assert alone == [*sealed, ("broken", t(6))]
    assert anchored_ == [*sealed[:5], ("altered", t(7)), ("broken", t(6))]


def test_an_unsealed_commit_is_vouched_for_by_the_next_one_and_the_anchor() -> None:
    alone, anchored_ = both(lambda store: renamed(store, 6))
    assert (alone, anchored_) == ([], [("altered", t(7))])


def test_who_has_the_keys_is_found_by_the_anchor_alone() -> None:
    """On one line too: then only the digest is known."""
    alone, anchored_ = both(rewritten_by_the_key_holder)
    assert alone == []
    assert anchored_ == sorted([("altered", d(20)), ("altered", t(7))])
    store = W.store()
    rewritten_by_the_key_holder(store)
    short = Anchor(1, digest=anchored().digest)
    assert [(one.kind, one.key) for one in look(store, short)] == [("altered", d(20))]


def test_a_file_with_other_rows_under_a_right_name_is_no_orphan() -> None:
    """A crash leaves what came from the log: the archive has the same at the same offsets."""
    from support.build import change, message

    from cdc_archive.archive.writer.files import Files
    from cdc_archive.archive.writer.open_file import FileFormat
    from cdc_archive.decode.decoder import Decoder

    for row, kind in (({"id": 1}, "orphan"), ({"id": 9}, "extra")):
        files = Files(T, FileFormat("null"))
        ms = HOUR_16_MS + 60_000
        value = change(after=row, ts_ms=ms)
        files.add(Decoder().decode(message(value, offset=1, timestamp=ms)))
        (file,) = (one.finish() for one in files.in_order())
        found = both(lambda store, file=file: put(store, file.entry.key, bytes(file.data)))
        assert found == ([(kind, file.entry.key)], [(kind, file.entry.key)])


def test_a_restorable_commit_is_named_with_the_digest_that_holds_it() -> None:
    """And its files are looked at all the same."""
    store = W.store()
    put(store, t(0), b"{}")
    del store._objects[A_FILE]
    found = {one.key: one for one in look(store)}
    assert {one.kind for one in found.values()} == {"altered", "missing"}
    assert f"{d(16)} holds its true bytes" in found[t(0)].what
    assert A_FILE in found
