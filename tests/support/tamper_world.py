"""A signed archive with one of everything, made once, and copies of it to damage.

Two chains of two tables; a message in quarantine and two that were recovered from it; a recorded
gap; five digests of which another key signed the last two; a checkpoint; two commits that no digest
holds yet.
"""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cdc_archive import schema_files
from cdc_archive.archive.format.commit import Writer, digest
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.quarantine import Asked
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer import signing_keys
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.archive.writer.recovery import Recovery
from cdc_archive.archive.writer.sealing import Sealer
from cdc_archive.archive.writer.signing_keys import signed_digest
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.decode.decoder import Decoder
from cdc_archive.replay import asked as replay_asked
from cdc_archive.replay import checkpointing, processes
from cdc_archive.replay.run import Order
from cdc_archive.signing.key_file import KeyFile
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits
from support.build import change, message
from support.sealed import BEGUN, GRACE, HOUR, key
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

T = TopicPartition("pg.app.t", 0)
U = TopicPartition("pg.app.user", 0)
WRITER = Writer("test", "0", "w")


class World(NamedTuple):
    """The archive's objects, the two keys, and the time at which it was left."""

    objects: dict[str, bytes]
    old: KeyFile
    new: KeyFile
    now: float

    def store(self) -> MemoryStore:
        """A copy to damage."""
        store = MemoryStore(lambda: self.now)
        for name, data in self.objects.items():
            store.create(name, data)
        return store

    def one(self, *parts: str) -> str:
        """The only key that holds all of these parts."""
        (found,) = [name for name in self.objects if all(part in name for part in parts)]
        return found


class _Making:
    def __init__(self) -> None:
        self.store, self.now = MemoryStore(), BEGUN
        self.old, self.new = key(), key()
        self.log: list[Message] = []
        self.grow()

    def grow(self, *new: Message) -> None:
        self.log += new
        limits = Limits(commit_records=10_000)
        Workshop(SimulatedSource(self.log), self.store, limits, wall=lambda: self.now).run()

    def rows(self, where: TopicPartition, *offsets: int, table: str = "t") -> list[Message]:
        return [
            message(
                change(after={"id": n}, table=table, ts_ms=int(self.now * 1000)),
                offset=n,
                topic=where.topic,
                partition=where.partition,
                timestamp=int(self.now * 1000),
            )
            for n in offsets
        ]

    def committer(self) -> Committer:
        return Committer(self.store, "archive-1", WRITER, lambda: self.now)

    def seal(self, by: KeyFile) -> None:
        self.now = (self.now // HOUR + 1) * HOUR + GRACE
        info = ArchiveReader(self.store).info
        assert len([*Sealer(self.store, info, WRITER, lambda: self.now, by, GRACE).due()]) == 1
        self.now += 60


def _poison(offset: int, value: bytes) -> Message:
    return message(value, offset=offset, topic=T.topic)


@cache
def world() -> World:
    """The archive; the same bytes to all who ask, but for its keys."""
    made = _Making()
    made.now += 60
    made.grow(*made.rows(T, 0, 1, 2), _poison(3, b"poison"), *made.rows(T, 4, 5))
    made.grow(*made.rows(U, 0, 1, 2, table="user"))
    made.seal(made.old)
    made.grow(*made.rows(T, 6), _poison(7, b'{"id":7}'), *made.rows(T, 8))
    made.grow(*made.rows(T, 9, 10, table="u"), *made.rows(U, 3, 4, 5, table="user"))
    made.seal(made.old)
    decode = Decoder([".*"]).decode
    reader = ArchiveReader(made.store)
    Recovery(made.store, made.committer(), decode, FileFormat()).run(reader, T, Asked())
    head = chain.head(made.store, "archive-1", U)
    made.committer().accept_gap(U, head, OffsetRange(6, 10), "storm", "ann")
    made.grow(*made.rows(U, 10, 11, 12, table="user"))
    made.seal(made.old)
    signing_keys.rotate(made.store, "archive-1", made.old, made.new, lambda: made.now)
    made.grow(*made.rows(T, 11, 12, 13))
    made.seal(made.new)
    made.grow(*made.rows(T, 14), *made.rows(U, 13, 14, table="user"))
    made.seal(made.new)
    for offset in (15, 16):
        made.now += 60
        made.grow(*made.rows(T, offset))
    _checkpoint(made.store)
    objects = {stat.key: made.store.get(stat.key) for stat in made.store.list("")}
    return World(objects, made.old, made.new, made.now)


def _checkpoint(store: MemoryStore) -> None:
    rules = schema_files.read("mappings/openai.toml").decode()
    order = Order(lambda: ArchiveReader(store), rules, replay_asked.Asked())
    before, processes.run_all = processes.run_all, _one_by_one
    try:
        with tempfile.TemporaryDirectory() as folder:
            checkpointing.make(order, store, int((BEGUN + 3 * HOUR) * 1e6), Path(folder), 1)
    finally:
        processes.run_all = before


def _one_by_one(run: Any, count: int, jobs: int) -> None:
    for number in range(count):
        run(number)


def edited(data: bytes, **members: object) -> bytes:
    """A JSON object with other members, in the form in which it is stored."""
    return json.dumps(json.loads(data) | members, separators=(",", ":")).encode()


def rehashed(store: MemoryStore, partition: TopicPartition, first: int) -> None:
    """Let each commit after one name the bytes that stand before it."""
    head = first + 1
    while store.stat(name := f"commits/{partition.topic}/0/{head:012d}.json") is not None:
        before = store.get(f"commits/{partition.topic}/0/{head - 1:012d}.json")
        put(store, name, edited(store.get(name), previous=digest(before)))
        head += 1


def put(store: MemoryStore, name: str, data: bytes) -> None:
    """Overwrite, as an intruder does."""
    store._objects[name] = (data, 0.0)


def renamed(store: MemoryStore, number: int) -> None:
    """Another writer in a commit of the first chain, and all hashes after it made to fit."""
    name = _commit_key(number)
    writer = dict.fromkeys(("name", "version", "instance"), "x")
    put(store, name, edited(store.get(name), writer=writer))
    rehashed(store, T, number)


def rewritten_by_the_key_holder(store: MemoryStore) -> None:
    """All made anew by somebody who has both keys: one commit, and all that follows from it."""
    renamed(store, 1)
    sealed = {}
    for number in range(8):
        data = store.get(_commit_key(number))
        sealed[json.loads(data)["sequence"]] = (digest(data), data)
    before: bytes | None = None
    for hour in range(16, 21):
        told = json.loads(_unsigned(store.get(_digest_key(hour))))
        if before is not None:
            told["previous"] = digest(before)
        for state in told["chains"]:
            if state["topic"] != T.topic:
                continue
            state["sha256"] = sealed[state["sequence"]][0]
            for one in state.get("commits", []):
                sha, data = sealed[one["commit"]["sequence"]]
                one["sha256"], one["commit"] = sha, json.loads(data)
        data = json.dumps(told, separators=(",", ":")).encode()
        before = signed_digest(world().old if hour < 19 else world().new, data)
        put(store, _digest_key(hour), before)


def _commit_key(number: int) -> str:
    return f"commits/{T.topic}/0/{number:012d}.json"


def _digest_key(hour: int) -> str:
    return f"digests/2026/02/19/{hour}.json"


def _unsigned(data: bytes) -> bytes:
    return data[: data.rfind(b',"signature":')] + b"}"
