"""Break one thing of a good archive: verify finds that, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from support.build import change, changes, message
from support.captures import ALL_CAPTURES, messages
from support.simulated_source import SimulatedSource
from support.tamper_world import edited
from support.workshop import Workshop

from cdc_archive.archive.format import key_filter
from cdc_archive.archive.format.commit import Writer, decode, digest
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.quarantine import Asked
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.archive.writer.recovery import Recovery
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.decode.decoder import Decoder
from cdc_archive.integrity.findings import Finding
from cdc_archive.integrity.verify import Verification
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)
FIRST, SECOND, LAST = (f"commits/pg.app.t/0/{n:012d}.json" for n in range(3))


def good() -> MemoryStore:
    """Three commits: two of changes and poison, and one that recovers a flattened row."""
    store = MemoryStore()
    log = changes(12)
    log[3] = message(b'{"id":3}', offset=3)
    log[7] = message(b"poison", offset=7)
    log[9] = message(change(table="u"), offset=9)
    Workshop(SimulatedSource(log, batch=6), store, Limits(commit_records=6)).run()
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1771516800.0)
    Recovery(store, committer, Decoder([".*"]).decode, FileFormat()).run(
        ArchiveReader(store), P0, Asked()
    )
    return store


def findings(store: MemoryStore) -> list[Finding]:
    return list(Verification(store).run())


def test_a_good_archive_has_no_finding() -> None:
    """And the counts tell what was looked at."""
    verification = Verification(good())
    assert list(verification.run()) == []
    assert dict(verification.counts) == {
        "chains": 1,
        "commits": 3,
        "files": 6,
        "records": 13,
        "digests": 0,
    }


@pytest.mark.parametrize("name", ALL_CAPTURES)
def test_an_archive_of_a_recorded_stream_has_no_finding(name: str) -> None:
    """Whatever Debezium wrote; but flattened, a TRUNCATE that its END counts was never sent."""
    store = MemoryStore()
    Workshop(SimulatedSource(messages(name)), store, Limits(commit_records=60)).run()
    truncated = [one.kind for one in findings(store)]
    assert truncated == (["incomplete"] if name == "pg_fl" else [])


def data_key(store: MemoryStore, part: str) -> str:
    return next(stat.key for stat in store.list("") if part in stat.key)


def replace(store: MemoryStore, key: str, data: bytes) -> str:
    store._objects[key] = (data, 0.0)
    return key


def remove(store: MemoryStore, key: str) -> str:
    del store._objects[key]
    return key


def rewritten(store: MemoryStore, key: str, **members: object) -> str:
    return replace(store, key, edited(store.get(key), **members))


def moved(store: MemoryStore, key: str, to: str) -> str:
    store._objects[to] = store._objects.pop(key)
    return to


def exchanged_file(store: MemoryStore) -> str:
    """A forger replaces a file and its entry in the last data commit, and the link after it."""
    commit = json.loads(store.get(SECOND))
    entry = next(one for one in commit["files"] if one["table"] == "lab.app.u")
    other = next(one for one in commit["files"] if one["table"] == "lab.app.t")
    entry |= {name: other[name] for name in ("sha256", "size")}
    remove(store, entry["key"])
    entry["key"] = entry["key"][: -len("+abcdefabcdef.avro")] + f"+{other['sha256'][:12]}.avro"
    replace(store, entry["key"], store.get(other["key"]))
    replace(store, SECOND, edited(b"{}", **commit))
    rewritten(store, LAST, previous=digest(store.get(SECOND)))
    return entry["key"]


@dataclass
class Damage:
    """What is done, and the kind and key (None: that which `do` gives) of what is found."""

    do: Callable[[MemoryStore], str]
    kind: str
    key: str | None = None


DAMAGES = {
    "a file lost a byte": Damage(
        lambda s: replace(s, k := data_key(s, "table=lab.app.u"), s.get(k)[:-1]), "altered"
    ),
    "a quarantine file is another": Damage(
        lambda s: replace(s, data_key(s, "quarantine/"), b"other"), "altered"
    ),
    "a file is gone": Damage(lambda s: remove(s, data_key(s, "table=lab.app.u")), "missing"),
    "a commit was altered": Damage(
        lambda s: rewritten(s, FIRST, committed_at="2020-01-01T00:00:00Z"), "altered", FIRST
    ),
    "a commit is no JSON": Damage(lambda s: replace(s, LAST, b"{"), "unreadable"),
    "the first commit is no JSON": Damage(lambda s: replace(s, FIRST, b"{"), "altered"),
    "a commit of another archive": Damage(lambda s: rewritten(s, LAST, archive="x"), "moved"),
    "a head that hides what was recovered": Damage(
        lambda s: rewritten(s, LAST, last_retry=1), "broken"
    ),
    "a commit moved to the end": Damage(
        lambda s: moved(s, LAST, LAST.replace("2.json", "3.json")), "moved"
    ),
    "a file beside the chain": Damage(
        lambda s: replace(s, "changes/table=x/date=a/hour=b/c.avro", b""), "extra"
    ),
    "an object that is none of ours": Damage(lambda s: replace(s, "notes.txt", b""), "extra"),
    "a stranger among the commits": Damage(
        lambda s: replace(s, "commits/pg.app.t/0/x.json", b""), "extra"
    ),
    "a file exchanged with its entry": Damage(exchanged_file, "broken"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_named(damage: Damage) -> None:
    """The kind and the object, and nothing else is blamed."""
    store = good()
    key = damage.do(store)
    found = findings(store)
    assert [(one.kind, one.key) for one in found] == [(damage.kind, damage.key or key)]


def test_a_missing_commit_is_named() -> None:
    """By its own key; the files that it named are not blamed."""
    store = good()
    remove(store, FIRST)
    told = "commit 0 is not there, but commit 1 is"
    assert findings(store) == [Finding("missing", FIRST, told)]


def test_what_is_recovered_twice_is_found() -> None:
    """Each message comes out of quarantine once."""
    store = good()
    commit = decode(store.get(LAST), LAST)
    again = {"sequence": 3, "previous": digest(store.get(LAST)), "last_retry": 2}
    third = LAST.replace("2.json", "3.json")
    replace(store, third, edited(store.get(LAST), **again))
    found = findings(store)
    assert {(one.kind, one.what.partition(" of ")[0]) for one in found} <= {
        ("broken", f"recovers what does not wait in {commit.recovered[0].origin}"),
        ("overlapping", "commit 3"),
    }
    assert found


def test_a_recorded_loss_is_told_and_is_no_damage() -> None:
    """With range, reason and person."""
    store = good()
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1771516800.0)
    head = chain.head(store, "archive-1", P0)
    committer.accept_gap(P0, head, OffsetRange(12, 20), "storm", "ann")
    (found,) = findings(store)
    assert (found.kind, found.is_damage) == ("gap", False)
    assert found.what == "pg.app.t[0] deleted: [12, 20) storm (accepted by ann)"


def test_key_statistics_that_hide_a_key_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader would not look for a row in a file that holds it."""
    made = key_filter.made
    monkeypatch.setattr(key_filter, "made", lambda hashes, keyless: made([*hashes][1:], keyless))
    store, log = (
        MemoryStore(),
        [message(change(after={"id": n}), offset=n, key=b'{"id":%d}' % n) for n in range(3)],
    )
    Workshop(SimulatedSource(log), store).run()
    (found,) = findings(store)
    assert (found.kind, found.key) == ("broken", FIRST)
    assert "key statistics" in found.what
