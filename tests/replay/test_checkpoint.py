"""A checkpoint: a window after it is told as if all had been folded, or it is not used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.build import message
from support.captures import messages
from support.runs import (
    DAY_US,
    HOUR_US,
    NOON_US,
    RULES,
    SECOND_US,
    Database,
    Replayed,
    archived,
    checkpoint,
    one_after_the_other,
    order,
    replay,
)

from cdc_archive import schema_files
from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Writer, digest
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.quarantine import Asked
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.archive.writer.recovery import Recovery
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, NothingFound
from cdc_archive.integrity.verify import Verification
from cdc_archive.replay import job, processes
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore

OPENAI = schema_files.read("mappings/openai.toml").decode()
AT_US = NOON_US + 3 * DAY_US
"""The time of the checkpoints: three days after the first changes."""
WRITER = Writer("test", "0", "w")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "run_all", one_after_the_other)


def row(number: int, name: str = "a", team: int = 7) -> dict:
    return {"id": number, "name": name, "team": team}


def database() -> Database:
    """Three users of a team, known at noon, and a note."""
    made = Database()
    made.commit(NOON_US, ("c", "team", None, {"id": 7, "name": "seven"}))
    made.commit(NOON_US + 1, *(("c", "user", None, row(number)) for number in (1, 2, 3)))
    made.commit(NOON_US + 2, ("c", "note", None, {"id": 1, "text": "x"}))
    return made


def told(store: ObjectStore, start_us: int = AT_US, used: bool = True, **more: object) -> Replayed:
    """A run that begins with a checkpoint, and is like one that does not."""
    begun = replay(order(store, start_us, **more))
    assert (begun.report.checkpoint is not None) == used
    without = replay(order(store, start_us, checkpoints=False, **more))
    assert begun.written == without.written
    begun.report.checkpoint = None
    assert begun.report == without.report
    return without


def settled(made: Database) -> ObjectStore:
    """An archive with a checkpoint whose commits need not be read again."""
    store = archived(made.log)
    assert checkpoint(store, AT_US, jobs=2).rows == 5
    (key,) = ArchiveReader(store).checkpoints.manifests()
    streams = ArchiveReader(store).checkpoints.manifest(key).streams
    assert {stream.sequence for stream in streams} == {0}
    return store


def test_a_version_before_the_checkpoint_is_known_after_it() -> None:
    """And what it was read from is not read again."""
    made = database()
    store = settled(made)
    made.commit(AT_US, ("u", "user", None, row(1, "b")), ("d", "user", {"id": 2}, None))
    archived(made.log, store)
    payloads = told(store).payloads
    assert payloads[0] == {"id": "1", "was": "a", "name": "b", "team": "seven"}
    assert payloads[1] == {"id": "2", "was": "a"}
    assert replay(order(store, AT_US), jobs=3) == replay(order(store, AT_US))
    for stat in [*store.list("changes/")]:
        if "date=2026-02-19" in stat.key:
            store._objects[stat.key] = (b"gone", 0.0)
    assert replay(order(store, AT_US)).payloads == payloads
    with pytest.raises(ArchiveDamaged):
        replay(order(store, AT_US, checkpoints=False))


@pytest.mark.parametrize("name", ["pg_jp", "pg_dup"])
def test_a_recorded_stream_is_told_alike_from_any_time(name: str) -> None:
    """Whatever lies across it: moved keys, redeliveries, TRUNCATE, actors in messages."""
    store = archived(messages(name), records=60)
    whole = replay(order(store, rules=OPENAI))
    times = sorted({json.loads(line.evidence)["event_time_us"] for line in whole.written})
    for at_us in times[1 :: max(1, len(times) // 2)]:
        checkpoint(store, at_us, OPENAI, jobs=2)
        assert told(store, at_us, rules=OPENAI).written


@pytest.mark.parametrize("table", ["who", "context"])
@pytest.mark.parametrize("first", [True, False])
def test_an_actor_just_before_the_edge_is_known(table: str, *, first: bool) -> None:
    """The message or row lies before it, its change after it; or they share a time."""
    made = database()
    witness = ("c", table, None, {"id": 1, "who": "ann"})
    made.commit(AT_US - 1, witness, tx=77)
    change = ("u", "user", None, row(1, "b"))
    made.commit(AT_US, change, tx=77)
    made.commit(AT_US, *((witness, change) if first else (change, witness)))
    store = archived(made.log)
    checkpoint(store, AT_US)
    assert told(store).actors == ["ann", "ann"]


def test_a_key_that_moves_across_the_edge_is_one_row() -> None:
    """Its delete lies before it, its create after it."""
    made = database()
    made.move(AT_US - 1, "user", row(1), row(9, "b"))
    create = made.log[-1]
    value = json.loads(create.value)
    value["source"] |= {"ts_us": AT_US, "ts_ms": AT_US // 1000}
    made.log[-1] = create._replace(value=json.dumps(value).encode())
    store = archived(made.log)
    checkpoint(store, AT_US)
    assert told(store).payloads == [{"id": "9", "was": "a", "name": "b", "team": "seven"}]


def test_a_truncate_after_it_ends_the_rows_before_it() -> None:
    """One deletion for each row, that the archive knows of from the checkpoint alone."""
    made = database()
    store = settled(made)
    made.commit(AT_US, ("t", "user", None, None))
    archived(made.log, store)
    assert [one["id"] for one in told(store).payloads] == ["1", "2", "3"]


def test_what_comes_again_across_it_makes_no_second_event() -> None:
    """It was there before the checkpoint, and nothing of it is kept but how far the stream was."""
    made = database()
    sent = made.commit(AT_US - 1, ("u", "user", None, row(1, "b")))
    store = archived(made.log)
    checkpoint(store, AT_US)
    made.again(sent)
    made.commit(AT_US, ("u", "user", None, row(1, "c")))
    archived(made.log, store)
    assert [one["name"] for one in told(store).payloads] == ["c"]


def test_new_topics_and_new_tables_since_are_read() -> None:
    """Streams have other numbers then."""
    made = database()
    store = settled(made)
    other = Database("another")
    other.commit(AT_US, ("c", "user", None, row(50)))
    made.commit(AT_US + 1, ("c", "aaa", None, {"id": 1}), ("u", "user", None, row(1, "b")))
    archived([*made.log, *other.log], store)
    assert [one["id"] for one in told(store).payloads] == ["50", "1"]


def test_only_windows_that_begin_at_its_time_or_later_use_it() -> None:
    """An earlier one begins with an earlier checkpoint, or with none."""
    made = database()
    made.commit(AT_US + HOUR_US, ("u", "user", None, row(1, "b")))
    store = archived(made.log)
    first, second = (checkpoint(store, at).key for at in (AT_US - HOUR_US, AT_US))
    for start, used in (
        (None, None),
        (AT_US - HOUR_US - 1, None),
        (AT_US - 1, first),
        (AT_US, second),
        (AT_US + 1, second),
    ):
        assert replay(order(store, start)).report.checkpoint == used
    assert replay(order(store, AT_US, checkpoints=False)).report.checkpoint is None


def test_rows_that_were_read_otherwise_are_not_used() -> None:
    """Other type hints give other values; other rules do not."""
    store = settled(database())
    hints = '[[types]]\ntables = ["user"]\ncolumns = { name = "json" }\n'
    for rules, used in (
        (RULES + hints, False),
        (f'unavailable_value = "gone"\n{RULES}', False),
        (RULES.replace("small", "other"), True),
    ):
        asked = order(store, AT_US, rules=rules)
        assert (replay(asked).report.checkpoint is not None) == used


def test_what_is_recovered_later_from_before_it_puts_it_aside() -> None:
    """Its rows are no longer the last ones."""
    made = database()
    late = made.commit(NOON_US + HOUR_US, ("u", "user", None, row(1, "late")))
    poison = message(b'{"id":1}', topic=late[0].topic, offset=late[0].offset)
    made.log[-1] = poison
    made.commit(NOON_US + 2 * HOUR_US, ("u", "user", None, row(2, "b")))
    store = settled(made)
    made.commit(AT_US, ("u", "user", None, row(1, "end")))
    archived(made.log, store)
    assert told(store).payloads[0]["was"] == "a"
    committer = Committer(store, "archive-1", WRITER, lambda: 1771516800.0)
    reader = ArchiveReader(store)
    decode = Decoder().decode

    def decoding(one):  # noqa: ANN001, ANN202
        return decode(late[0] if one.value == poison.value else one)

    for partition in reader.partitions():
        Recovery(store, committer, decoding, FileFormat()).run(reader, partition, Asked())
    assert told(store, used=False).payloads[0]["was"] == "late"


@pytest.mark.parametrize("made_when", ["before the loss", "at the loss", "after it"])
def test_a_connector_that_began_anew_is_followed(made_when: str) -> None:
    """Its low positions stand after the high ones, whatever of that the checkpoint saw."""
    made = database()
    store = archived(made.log)
    if made_when == "before the loss":
        checkpoint(store, AT_US)
    committer = Committer(store, "archive-1", WRITER, lambda: 1771516800.0)
    for partition in ArchiveReader(store).partitions():
        head = chain.head(store, "archive-1", partition)
        assert head is not None
        committer.accept_stream_gap(partition, head, 100, "slot", "ann")
    if made_when == "at the loss":
        checkpoint(store, AT_US)
    made.begin_anew()
    made.commit(AT_US, ("u", "user", None, row(1, "b")))
    made.commit(AT_US + 1, ("u", "note", None, {"id": 1, "text": "y"}))
    made.commit(AT_US + 2, ("u", "user", None, row(1, "c")))
    archived(made.log, store)
    if made_when == "after it":
        checkpoint(store, AT_US)
    names = [one.get("name", one.get("text")) for one in told(store, used=False).payloads]
    assert names == ["b", "y", "c"]


def test_a_broken_run_of_two_connectors_knows_what_both_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the connector that it had not come to: a key that moves across the edge."""
    made, other = database(), Database("zz")
    other.commit(NOON_US, ("c", "user", None, row(1)))
    other.move(AT_US - 1, "user", row(1), row(9, "moved"))
    value = json.loads(other.log[-1].value)
    value["source"] |= {"ts_us": AT_US, "ts_ms": AT_US // 1000}
    other.log[-1] = other.log[-1]._replace(value=json.dumps(value).encode())
    made.commit(AT_US, ("u", "user", None, row(1, "b")))
    store = archived([*made.log, *other.log])
    checkpoint(store, AT_US)
    whole = told(store)
    tell = job.Job._tell

    def dying(self, connector, *rest):  # noqa: ANN001, ANN002, ANN202
        if connector == "zz":
            raise KeyboardInterrupt
        return tell(self, connector, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(job.Job, "_tell", dying)
        with pytest.raises(KeyboardInterrupt):
            replay(order(store, AT_US), tmp_path)
    gone_on = replay(order(store, AT_US), tmp_path, resume=True)
    assert gone_on.written == whole.written
    assert [one["was"] for one in whole.payloads] == ["a", "a"]


def test_made_twice_it_is_there_twice_at_most() -> None:
    """Two at once harm nothing: parts are named by their bytes, manifests by theirs."""
    store = archived(database().log)
    first = checkpoint(store, AT_US)
    parts = [stat.key for stat in store.list("checkpoints/") if stat.key.endswith(".zst")]
    second = checkpoint(store, AT_US, jobs=3)
    assert first.rows == second.rows
    assert set(parts) <= {stat.key for stat in store.list("checkpoints/")}
    assert list(Verification(store).run()) == []
    told(store)


def test_its_time_is_the_newest_hour_unless_given() -> None:
    """The hour that is still being written is left to later ones."""
    made = database()
    made.commit(AT_US + HOUR_US + SECOND_US, ("c", "user", None, row(4)))
    store = archived(made.log)
    assert checkpoint(store, None).at_us == AT_US + HOUR_US


def test_of_nothing_there_is_no_checkpoint() -> None:
    """It would say that no row was there."""
    with pytest.raises(NothingFound, match="no change before 20"):
        checkpoint(archived(database().log), NOON_US - DAY_US)


def put(store: MemoryStore, key: str, data: bytes | None) -> None:
    """Somebody with the right to do so."""
    if data is None:
        del store._objects[key]
    else:
        store._objects[key] = (data, 0.0)


def altered(data: bytes) -> bytes:
    return data[:-1] + b"x"


BROKEN: list[tuple[str, str, str, Callable[[bytes], bytes | None]]] = [
    ("manifest", "altered", "not those that its name says", lambda data: data + b" "),
    ("manifest", "altered", "not a checkpoint", lambda _: b"x"),
    ("part", "altered", "not those that were kept", altered),
    ("part", "altered", "more than the", lambda data: data + b"x"),
    ("part", "missing", "missing", lambda _: None),
]


@pytest.mark.parametrize(("which", "kind", "says", "damage"), BROKEN)
def test_a_damaged_checkpoint_is_named_and_can_be_done_without(
    which: str, kind: str, says: str, damage: Callable[[bytes], bytes | None]
) -> None:
    """By the replay that would use it, and by verify."""
    store = archived(database().log)
    manifest = checkpoint(store, AT_US).key
    (part,) = (stat.key for stat in store.list("checkpoints/") if stat.key.endswith(".zst"))
    broken = part if which == "part" else manifest
    put(store, broken, damage(store.get(broken)))
    with pytest.raises(ArchiveDamaged) as refused:
        replay(order(store, AT_US))
    assert says in str(refused.value)
    assert "--no-checkpoint" in refused.value.action
    assert replay(order(store, AT_US, checkpoints=False)).report.total == 0
    found = {(one.kind, one.key) for one in Verification(store).run()}
    assert (kind, broken) in found


def test_a_checkpoint_of_a_later_version_is_not_misread() -> None:
    """Nor one of another archive, nor one whose commit is another."""
    store = settled(database())
    (key,) = ArchiveReader(store).checkpoints.manifests()
    manifest = json.loads(store.get(key))

    def written(**changed: object) -> MemoryStore:
        copy = MemoryStore()
        for stat in store.list(""):
            if stat.key != key:
                copy.create(stat.key, store.get(stat.key))
        data = json.dumps(manifest | changed).encode()
        copy.create(layout.checkpoint_key(AT_US, digest(data)), data)
        return copy

    with pytest.raises(FormatUnknown):
        replay(order(written(format=2), AT_US))
    with pytest.raises(ArchiveDamaged, match="belongs to archive other"):
        replay(order(written(archive="other"), AT_US))
    streams = [one | {"sha256": "0" * 64} for one in manifest["streams"]]
    with pytest.raises(ArchiveDamaged, match="was another one"):
        replay(order(written(streams=streams), AT_US))
    streams = [one | {"sequence": 9} for one in manifest["streams"]]
    with pytest.raises(ArchiveDamaged, match="knows a commit that is gone"):
        replay(order(written(streams=streams), AT_US))


def test_verify_finds_what_no_manifest_names() -> None:
    """A part whose manifest was never written; what no worker makes was added."""
    store = settled(database())
    orphan = layout.checkpoint_part_key(AT_US, digest(b"x"))
    for key in (orphan, "checkpoints/mine.txt"):
        store.create(key, b"x")
    found = {(one.kind, one.key) for one in Verification(store).run()}
    assert found == {("orphan", orphan), ("extra", "checkpoints/mine.txt")}
