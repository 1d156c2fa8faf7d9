"""The object store: what it holds, a journal of all it was asked to hold, and its bad days."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ObjectMissing, StateUnknown, StoreBusy, StoreDenied, StoreUnreachable
from cdc_archive.storage.object_store import ObjectStat
from simulation.broker import Note
from simulation.profile import StoreFaults
from simulation.scheduler import Process, Scheduler

_COMMIT_WEIGHT = 30
_LATE_S = 90.0
_PAGE = 3


class Write(NamedTuple):
    """An object came to be: when, which, with what, by whom."""

    at: float
    key: str
    data: bytes
    by: str


class Bucket:
    """What is durable. Objects are created, never changed."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.objects: dict[str, bytes] = {}
        self.journal: list[Write] = []
        self.on_the_wire: Counter[str] = Counter()
        self.ends: dict[TopicPartition, int] = {}
        self.topic_ids: dict[TopicPartition, str | None] = {}
        self.lengths: Counter[TopicPartition] = Counter()

    def create(self, key: str, data: bytes, by: str) -> bool:
        """Create only."""
        if key in self.objects:
            return False
        self.put(key, data, by)
        return True

    def put(self, key: str, data: bytes, by: str) -> None:
        """Let it stand."""
        self.objects[key] = data
        self.journal.append(Write(self._scheduler.now, key, data, by))
        if key.startswith("commits/"):
            commit = json.loads(data)
            place = TopicPartition(commit["topic"], commit["partition"])
            self.ends[place] = commit["to"]
            self.topic_ids[place] = commit.get("log", {}).get("topic_id")
            self.lengths[place] += 1

    def get(self, key: str) -> bytes:
        """All bytes."""
        if key not in self.objects:
            raise ObjectMissing(f"no object {key}")
        return self.objects[key]

    def stat(self, key: str) -> ObjectStat | None:
        """Size, or None."""
        data = self.objects.get(key)
        return None if data is None else ObjectStat(key, len(data), 0.0)


class Weather:
    """How the store is doing.

    Args:
        faults: probabilities.
        rng: decides.
        timeout_s: after which a client gives a request up.
    """

    def __init__(self, faults: StoreFaults, rng: Random, timeout_s: float) -> None:
        self.faults, self.rng, self.timeout_s = faults, rng, timeout_s
        self.down_until = self.denied_until = 0.0
        self.calm = False

    def fault(self, now: float) -> str:
        """What befalls the next request."""
        if self.calm:
            return "none"
        if now < self.denied_until:
            return "denied"
        if now < self.down_until:
            return "busy"
        draw, faults = self.rng.random(), self.faults
        for kind in ("busy", "reset", "lost", "delayed", "hidden_retry", "slow"):
            draw -= getattr(faults, kind)
            if draw < 0:
                return kind
        return "none"


class BucketClient:
    """The port to an object store, as one process has it.

    A request arrives at the store whether or not its sender still lives; the answer may be lost.
    """

    def __init__(
        self,
        process: Process,
        bucket: Bucket,
        weather: Weather,
        counts: Counter[str],
        note: Note,
    ) -> None:
        self._process, self.bucket, self._weather = process, bucket, weather
        self._counts, self._note = counts, note
        self.sent: dict[tuple[greenlet, str], set[bytes]] = {}

    def create(self, key: str, data: bytes) -> bool:
        data = bytes(data)
        self.sent.setdefault((getcurrent(), key), set()).add(data)
        effect = partial(self.bucket.create, key, data, self._process.name)
        created: bool = self._ask("create", key, effect, writing=True)
        return created

    def get(self, key: str, limit: int | None = None) -> bytes:
        data: bytes = self._ask("get", key, partial(self.bucket.get, key))
        return data

    def holds(self, key: str, data: bytes) -> bool:
        return self.get(key) == data

    def stat(self, key: str) -> ObjectStat | None:
        stat: ObjectStat | None = self._ask("stat", key, partial(self.bucket.stat, key))
        return stat

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        """Breaks off, and misses what was created last: nothing of ours may lean on it."""
        keys = [key for key in self.bucket.objects if key.startswith(prefix) and key > start_after]
        if not self._weather.calm and keys and self._weather.rng.random() < 0.3:
            keys.pop()
        for number, key in enumerate(sorted(keys, key=str.encode)):
            if number % _PAGE == 0:
                self._ask("list", prefix, lambda: None)
            yield ObjectStat(key, len(self.bucket.objects[key]), 0.0)

    def check(self) -> None:
        try:
            self._ask("check", "", lambda: None)
        except StoreBusy as error:
            raise StoreUnreachable(error.what) from None

    def close(self) -> None:
        pass

    def _against_others(self, key: str, effect: Callable[[], Any]) -> Any:
        """S3 may answer 409 while another request for the same key is under way: nothing is done,
        and that other one may still fail.
        """
        rng = self._weather.rng
        busy = self.bucket.on_the_wire[key] > 0 and not self._weather.calm
        if busy and key not in self.bucket.objects and rng.random() < 0.5:
            self._counts["store: conflict"] += 1
            raise StoreBusy("409 ConditionalRequestConflict")
        return effect()

    def _ask(self, what: str, key: str, effect: Callable[[], Any], *, writing: bool = False) -> Any:
        process, weather, scheduler = self._process, self._weather, self._process.scheduler
        rng = weather.rng
        process.point(_COMMIT_WEIGHT if writing and key.startswith("commits/") else 1)
        fault = weather.fault(scheduler.now)
        if fault != "none":
            self._counts[f"store: {fault}"] += 1
            self._note(process, f"{what} {key}: {fault}")
        there = rng.uniform(0.001, 0.05) * (100 if fault == "slow" else 1)
        if fault == "denied":
            process.sleep(there)
            raise StoreDenied("ExpiredToken")
        if fault == "busy":
            process.sleep(there)
            raise StoreBusy("503 Slow Down")
        if fault == "reset":  # it never arrived, but who knows
            process.sleep(there)
            raise StateUnknown("connection reset") if writing else StoreBusy("connection reset")
        if fault == "delayed":  # it arrives when its sender has given it up
            there = weather.timeout_s + rng.uniform(0, _LATE_S)
        answer: list[Callable[[], Any]] = []
        self.bucket.on_the_wire[key] += writing

        def arrive() -> None:
            self.bucket.on_the_wire[key] -= writing
            answer.append(_done(partial(self._against_others, key, effect) if writing else effect))

        scheduler.at(scheduler.now + there, arrive)
        if fault in ("lost", "delayed"):
            process.sleep(weather.timeout_s)
            raise StateUnknown("read timeout") if writing else StoreBusy("read timeout")
        process.sleep(there + rng.uniform(0.001, 0.02))
        process.point(_COMMIT_WEIGHT if writing and key.startswith("commits/") else 1)
        result = answer[0]()
        if writing:
            self._note(process, f"{what} {key}: {result}")
            if fault == "hidden_retry":  # the client's second attempt is told of its first
                return False
        return result


def _done(effect: Callable[[], Any]) -> Callable[[], Any]:
    """Do it now, tell of it later."""
    try:
        result = effect()
    except (ObjectMissing, StoreBusy) as error:
        return partial(_raise, error)
    return lambda: result


def _raise(error: Exception) -> None:
    raise error
