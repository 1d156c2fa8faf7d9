"""The verdict on a run, from objects and log alone: json, hashlib, fastavro, nothing of ours.

Follows schemas/ARCHIVE_FORMAT.md as a stranger would. The invariants are those of the design:
I1 create only, I2 the chain, I4 every offset accounted for, I6 same range same bytes, I8 poison
kept whole. (I3, I5 and I7 show here too, and are watched while the world runs.)
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import fastavro

from simulation.log import DATA, Log
from simulation.produced import Produced
from simulation.scheduler import NEVER

if TYPE_CHECKING:
    from simulation.bucket import Write
    from simulation.profile import Profile

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

OPERATOR = "ann"
"""Who accepts losses in this world."""

_STAMPS = {-1: "none", 0: "create", 1: "log_append"}
_PARTS = ("before", "after", "source", "transaction")


def check(
    objects: Mapping[str, bytes],
    journal: Sequence[Write],
    logs: Mapping[tuple[str, int], Sequence[Log]],
    profile: Profile,
    counts: Counter[str],
) -> None:
    """All of it; `logs` are all that a topic partition ever had, the newest last.

    Raises:
        AssertionError: with the invariant that is broken, and where.
    """
    created = _created_once(objects, journal)
    named: set[str] = set()
    for place, incarnations in sorted(logs.items()):
        _Chain(objects, created, place, incarnations, profile, counts, named).check()
    data = [key for key in objects if key.startswith(("changes/", "quarantine/"))]
    assert named <= set(data)
    counts["files"] += len(named)
    counts["orphans"] += len(data) - len(named)
    chains = {f"commits/{encoded(topic)}/{number}" for topic, number in logs}
    strays = {key.rpartition("/")[0] for key in objects if key.startswith("commits/")} - chains
    assert not strays, f"I2: chains of partitions that never were: {strays}"
    _same_records_same_bytes(objects, data)


def _created_once(objects: Mapping[str, bytes], journal: Sequence[Write]) -> dict[str, float]:
    """When each object came to be."""
    created: dict[str, float] = {}
    for write in journal:
        assert write.key not in created, f"I1: {write.key} was overwritten by {write.by}"
        assert objects.get(write.key) == write.data, f"I1: {write.key} was altered or deleted"
        created[write.key] = write.at
    assert created.keys() == objects.keys()
    return created


class _Chain:
    """One topic partition."""

    def __init__(
        self,
        objects: Mapping[str, bytes],
        created: Mapping[str, float],
        place: tuple[str, int],
        logs: Sequence[Log],
        profile: Profile,
        counts: Counter[str],
        named: set[str],
    ) -> None:
        self._objects, self._created, self._place = objects, created, place
        self._logs, self._log = logs, logs[0]
        self._incarnation, self._topic_id, self._ids_told = 0, None, profile.topic_ids
        self._skips = place[0] == profile.skipped_topic
        self._counts, self._named = counts, named
        self._end = -1

    def check(self) -> None:
        """From commit 0 to the last, and that nothing is missing after it."""
        prefix = f"commits/{encoded(self._place[0])}/{self._place[1]}/"
        stored = sum(key.startswith(prefix) for key in self._objects)
        previous = None
        for sequence in range(stored):
            key = f"{prefix}{sequence:012d}.json"
            assert key in self._objects, f"I2: {key} is missing, {stored} commits are there"
            data = self._objects[key]
            commit = json.loads(data)
            assert commit["previous"] == previous, f"I2: {key} does not name its predecessor"
            assert commit["sequence"] == sequence, f"I2: {key} says {commit['sequence']}"
            assert (commit["topic"], commit["partition"]) == self._place, f"I2: {key}"
            previous = hashlib.sha256(data).hexdigest()
            self._commit(key, commit)
        newest = self._logs[-1]
        left = [offset for offset in newest.live() if offset >= self._end or newest != self._log]
        if newest.deleted_at == NEVER:
            assert not left, f"I4: {self._place}: offsets {left[:5]} are not archived"

    def _commit(self, key: str, commit: dict[str, Any]) -> None:
        at, start, end = self._created[key], commit["from"], commit["to"]
        if any(gap.get("kind") == "restarted" for gap in commit["gaps"]):
            self._restart(key, commit)
            return
        self._same_log(key, commit.get("log", {}))
        log = self._log
        if self._end < 0:
            begins = {first for when, first in log.starts if when <= at}
            known = start in begins or commit["gaps"]  # a loss before anything was committed
            assert known, f"I4: {key} begins at {start}, where no log ever began"
        else:
            assert start == self._end, f"I2: {key} begins at {start}, not at {self._end}"
        assert start < end <= log.end, f"I4: {key} covers [{start}, {end}), log ends at {log.end}"
        self._end = end
        seen: Counter[int] = Counter()
        for file in commit["files"]:
            for record in self._file(key, file):
                seen[record["offset"]] += 1
        for low, high in commit["absent"]:
            self._absent(key, low, high, at)
            seen.update(range(low, high))
        for gap in commit["gaps"]:
            self._lost(key, gap, at)
            seen.update(range(gap["start"], gap["end"]))
        skipped = self._skipped(key, commit, seen)
        twice = [offset for offset, times in seen.items() if times > 1]
        assert not twice, f"I4: {key}: offsets {twice[:5]} stand twice"
        total = len(seen) + skipped
        assert total == end - start, f"I4: {key} accounts for {total} of [{start}, {end})"
        assert all(start <= offset < end for offset in seen), f"I4: {key}: offsets out of range"

    def _restart(self, key: str, commit: dict[str, Any]) -> None:
        """The log began anew: offsets do not go on, and somebody has accepted that."""
        (gap,), told, at = commit["gaps"], commit["log"], self._created[key]
        assert commit["from"] == commit["to"] == gap["start"] == gap["end"], f"I4: {key}: {gap}"
        holds = commit["files"] + commit["skipped"] + commit["absent"]
        assert not holds, f"I4: {key} begins a log anew and holds {holds}"
        assert gap["accepted_by"] == OPERATOR, f"I4: {key}: nobody accepted {gap}"
        assert told["incarnation"] == self._incarnation + 1, f"I2: {key} is of {told}"
        begun = [log for log in self._logs[1:] if log.made_at <= at]
        assert begun, f"I4: {key}: the log of {self._place} never began anew"
        assert any(commit["to"] in dict.fromkeys(s for _, s in log.starts) for log in begun), key
        self._incarnation, self._topic_id = told["incarnation"], told.get("topic_id")
        self._end = commit["to"]
        self._counts["chains begun anew"] += 1

    def _same_log(self, key: str, told: dict[str, Any]) -> None:
        """Within an incarnation all offsets are of one topic."""
        incarnation, topic_id = told.get("incarnation", 0), told.get("topic_id")
        assert incarnation == self._incarnation, f"I2: {key} is of {told}, not {self._incarnation}"
        assert topic_id == self._topic_id or self._topic_id is None, f"I4: {key} is of {told}"
        self._topic_id = topic_id
        if topic_id is not None:
            (self._log,) = [log for log in self._logs if log.topic_id == topic_id]
        elif len(self._logs) > 1:  # only a loss that was accepted is told without the topic
            self._log = [log for log in self._logs if log.made_at <= self._created[key]][-1]

    def _absent(self, key: str, low: int, high: int, at: float) -> None:
        for offset in range(low, high):
            entry = self._log.entry(offset)
            there = entry.state == DATA and entry.gone_at > at
            assert not there, f"I4: {key}: {offset} is called absent, but the log handed it out"
        self._counts["absent offsets"] += high - low

    def _lost(self, key: str, gap: dict[str, Any], at: float) -> None:
        begins = self._log.start_at(at)
        assert gap["end"] <= begins, f"I4: {key}: gap {gap}, but the log began at {begins}"
        assert gap["accepted_by"] == OPERATOR, f"I4: {key}: nobody accepted {gap}"
        self._counts["lost offsets"] += gap["end"] - gap["start"]

    def _skipped(self, key: str, commit: dict[str, Any], seen: Counter[int]) -> int:
        if not commit["skipped"]:
            return 0
        assert self._skips, f"I4: {key} skips what no setting tells it to"
        (skipped,) = commit["skipped"]
        rest = [offset for offset in range(commit["from"], commit["to"]) if offset not in seen]
        stated = (skipped["count"], skipped["first_offset"], skipped["last_offset"])
        assert stated == (len(rest), rest[0], rest[-1]), f"I4: {key}: {skipped} is not {len(rest)}"
        states = {self._log.entry(offset).state for offset in rest}
        assert states == {DATA}, f"I4: {key} skips offsets that the log did not hand out"
        self._counts["skipped messages"] += len(rest)
        return len(rest)

    def _file(self, key: str, file: dict[str, Any]) -> Iterator[dict[str, Any]]:
        name = file["key"]
        assert name in self._objects, f"I2: {key} names {name}, which is not there"
        data = self._objects[name]
        digest = hashlib.sha256(data).hexdigest()
        assert (digest, len(data)) == (file["sha256"], file["size"]), f"I2: {name} was altered"
        assert self._created[name] <= self._created[key], f"I2: {key} was there before {name}"
        self._named.add(name)
        meta, records = container(data)
        schema = meta.get("cdc.value_schema")
        counts: Counter[str] = Counter()
        offsets = []
        for record in records:
            sent = self._log.entry(record["offset"]).produced
            assert sent is not None
            counts[_same(name, record, sent, schema)] += 1
            offsets.append(record["offset"])
            yield record
        assert offsets == sorted(offsets), f"{name}: not in offset order"
        stated = (file["records"], file["first_offset"], file["last_offset"], file["counts"])
        assert stated == (len(offsets), offsets[0], offsets[-1], counts), f"{key}: {file}"
        folder, hour = meta["cdc.folder"].decode(), (file["date"], file["hour"])
        expected = path(file["kind"], folder, hour, self._place, offsets[0], offsets[-1], digest)
        assert name == expected, f"{name} should be {expected}"


def _same(name: str, record: dict[str, Any], sent: Produced, schema: bytes | None) -> str:
    """Compares a record with what was produced; returns its label."""
    message = sent.message
    where = f"{name}: offset {record['offset']}"
    assert (record["topic"], record["partition"]) == (message.topic, message.partition), where
    assert record["offset"] == message.offset, where
    assert record["timestamp"] == message.timestamp, where
    assert record["timestamp_type"] == _STAMPS[message.timestamp_type], where
    assert record["key"] == message.key, where
    headers = [(one["name"], one["value"]) for one in record["headers"]]
    assert headers == list(message.headers), where
    label = "table" if sent.kind == "changes" else "topic"
    date, hour = sent.hour
    folder = f"{sent.kind}/{label}={encoded(sent.folder)}/date={date}/hour={hour}/"
    assert name.startswith(folder), f"{where} belongs to {folder}"
    if sent.kind == "quarantine":
        assert record["value"] == message.value, f"I8: {where} is not what was produced"
        assert record["reason"] == sent.label, where
        return sent.label
    assert record["table"] == sent.folder, where
    assert record["op"] == sent.label, where
    expected_schema = None if sent.value_schema is None else sent.value_schema.encode()
    assert schema == expected_schema, f"{where}: another Connect schema"
    assert restored(record, schema) == message.value, f"{where} is not what was produced"
    return sent.label


def restored(record: dict[str, Any], schema: bytes | None) -> bytes | None:
    """The message's value, by the rule of ARCHIVE_FORMAT.md, Envelope text."""
    text: str | None = record["envelope"]
    if text is None:
        return None
    for number, part in enumerate(_PARTS, 1):
        if record[part] is not None:
            text = text.replace(chr(number), record[part])
    if schema is not None:
        text = text.replace("\x05", schema.decode())
    return text.encode()


def encoded(name: str) -> str:
    """A name as a part of a key, for the names that this world has."""
    return quote(name, safe="")


def path(
    kind: str,
    folder: str,
    hour: tuple[str, str],
    place: tuple[str, int],
    first: int,
    last: int,
    digest: str,
) -> str:
    """The key of a data file, by the rule of ARCHIVE_FORMAT.md, Layout."""
    label = "table" if kind == "changes" else "topic"
    file = f"{encoded(place[0])}+{place[1]}+{first:019d}-{last:019d}+{digest[:12]}.avro"
    return f"{kind}/{label}={encoded(folder)}/date={hour[0]}/hour={hour[1]}/{file}"


_HEADER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "M", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "S", "size": 16}},
        ],
    }
)
_BLOCK = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Block",
        "fields": [{"name": "count", "type": "long"}, {"name": "data", "type": "bytes"}],
    }
)


@cache
def _schema(text: bytes) -> Any:
    """Times are left as numbers: making dates of them costs more than all the rest."""
    return fastavro.parse_schema(
        json.loads(text.replace(b',"logicalType":"timestamp-micros"', b""))
    )


def container(data: bytes) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Metadata and records of an Avro object container file (fastavro's own reader parses the
    schema anew for each file, which would be most of a run's time).
    """
    body = io.BytesIO(data)
    head: Any = fastavro.schemaless_reader(body, _HEADER)
    meta = head["meta"]
    schema, codec = _schema(meta["avro.schema"]), meta["avro.codec"]
    assert head["magic"] == b"Obj\x01"
    records = []
    while body.tell() < len(data):
        block: Any = fastavro.schemaless_reader(body, _BLOCK)
        assert body.read(16) == head["sync"]
        raw = io.BytesIO(_decompressed(codec, block["data"]))
        records += [fastavro.schemaless_reader(raw, schema) for _ in range(block["count"])]
        assert not raw.read(1)
    return meta, records


def _decompressed(codec: bytes, data: bytes) -> bytes:
    if codec == b"zstandard":
        return zstd.decompress(data)
    return zlib.decompress(data, -15) if codec == b"deflate" else data


def _same_records_same_bytes(objects: Mapping[str, bytes], keys: Sequence[str]) -> None:
    """I6: of two files of one range, one is not like the other only if its records are not."""
    by_range: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        by_range[key.rpartition("+")[0]].append(key)
    for alike in by_range.values():
        if len(alike) > 1:
            distinct = {repr(container(objects[key])) for key in alike}
            assert len(distinct) == len(alike), f"I6: same records, other bytes: {alike}"
