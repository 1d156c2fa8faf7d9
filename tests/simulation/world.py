"""One run: workers over a cluster and a bucket, everything that can go wrong, then calm.

    World(seed).run()

raises what the world saw or what the checker found; `counts` tells what happened how often.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import (
    CdcArchiveError,
    DeadlineExceeded,
    OffsetGap,
    SourceUnreachable,
    StateUnknown,
    StoreDenied,
    StoreUnreachable,
)
from simulation.broker import Broker
from simulation.bucket import Bucket, BucketClient, Weather
from simulation.checker import OPERATOR, check
from simulation.node import Node, accept_gap
from simulation.profile import Profile
from simulation.scheduler import NEVER, Process, Scheduler

_MAY_END_IN_A_STORM = (
    StoreUnreachable,
    StateUnknown,
    StoreDenied,
    DeadlineExceeded,
    SourceUnreachable,
    OffsetGap,
)
_CALM_S = 900.0
_AFTERMATH_S = 300.0
_DO = "cdc-archive gap accept"


class World:
    """Everything of one seed.

    Args:
        seed: decides everything.
        tracing: whether the trace is kept as text.
        watched: whether workers and broker are watched while they run, or the archive alone is
            judged at the end.
        only: this alone is done from outside, and often.
    """

    def __init__(
        self,
        seed: int,
        *,
        tracing: bool = False,
        watched: bool = True,
        only: tuple[str, ...] = (),
    ) -> None:
        self.rng = Random(seed)
        self.profile = Profile.draw(self.rng)
        if only:
            self.profile = self.profile.with_only(only)
        self.scheduler = Scheduler()
        self.counts: Counter[str] = Counter(worlds=1)
        self.lines: list[str] = []
        self._tracing, self._watched = tracing, watched
        self._hash = hashlib.blake2b(digest_size=16)
        self.bucket = Bucket(self.scheduler)
        self.weather = Weather(self.profile.store, self.rng, self.profile.request_timeout_s)
        self.broker = Broker(
            self.scheduler, self.rng, self.profile, self.bucket.ends.get, self.counts, self.note
        )
        self.broker.watched = watched
        self.nodes: list[Node] = []
        self.frozen: list[Process] = []
        self._names = self._operating = 0
        self._calm = False
        self._calm_ended = False
        self._wanted: list[tuple[TopicPartition, int, str]] = []
        self.note(None, repr(self.profile))

    def note(self, who: Process | None, what: str) -> None:
        """One line of the trace."""
        line = f"{self.scheduler.now:10.3f} {who.name if who else '-':5} {what}"
        self._hash.update(line.encode())
        if self._tracing:
            self.lines.append(line)

    def remark(self, who: Process | None, what: str) -> None:
        """A line of the trace that is no event of its own."""
        self.lines.append(f"{self.scheduler.now:10.3f} {who.name if who else '-':5} {what}")

    @property
    def trace_hash(self) -> str:
        """Of all that happened."""
        return self._hash.hexdigest()

    def run(self) -> None:
        """The storm, the calm after it, the aftermath, and the verdict.

        Raises:
            AssertionError: something that must not be.
        """
        profile, scheduler = self.profile, self.scheduler
        for _ in range(profile.workers):
            self._start()
        self._at_random(1 / profile.bursts_per_s, self.broker.produce)
        if profile.nemesis:
            self._at_random(profile.nemesis_every_s, self._nemesis)
        scheduler.run(profile.duration_s)
        self._calm_down()
        limit = scheduler.now + _CALM_S
        scheduler.run(limit, self._complete)
        assert self._complete(), f"{_CALM_S:g} s of calm, and not archived: {self._missing()}"
        for node in self._running():
            node.stopping = True
        scheduler.run(scheduler.now + _AFTERMATH_S, lambda: not self._running())
        assert not self._running(), "a calm worker does not stop"
        self._wake_the_dead()
        self.counts["virtual seconds"] += int(scheduler.now)
        for write in self.bucket.journal:
            self.note(None, f"{write.key} {hashlib.sha256(write.data).hexdigest()[:12]}")
        check(self.bucket.objects, self.bucket.journal, self.broker.history, profile, self.counts)

    def _at_random(self, every_s: float, act: Callable[[], None]) -> None:
        def again() -> None:
            if not self._calm:
                act()
                self.scheduler.at(self.scheduler.now + self.rng.expovariate(1 / every_s), again)

        self.scheduler.at(self.rng.expovariate(1 / every_s), again)

    def _process(self, kind: str) -> Process:
        self._names += 1
        return Process(self.scheduler, f"{kind}{self._names}", self.rng, self._fuse(), self._strike)

    def _client(self, process: Process) -> BucketClient:
        return BucketClient(process, self.bucket, self.weather, self.counts, self.note)

    def _start(self) -> None:
        process = self._process("w")
        node = Node(process, self.broker, self._client(process), self.profile, self.counts)
        node.watched = self._watched
        self.nodes.append(node)
        self.counts["workers"] += 1
        self.note(process, "starts")
        process.spawn(lambda: self._life(node))

    def _life(self, node: Node) -> None:
        try:
            node.main()
        except CdcArchiveError as error:
            self._ended(node, error)
        else:
            self._ended(node, None)

    def _ended(self, node: Node, error: CdcArchiveError | None) -> None:
        process = node.process
        self.note(process, f"ends: {error!r}")
        self.counts[f"ends: {type(error).__name__ if error else 'stopped'}"] += 1
        process.kill()
        stormy = not self._calm or process in self.frozen
        expected = _MAY_END_IN_A_STORM if stormy else (OffsetGap,)
        if error is not None and not isinstance(error, expected):
            raise AssertionError(f"{process.name} ended with {error!r}") from error
        if isinstance(error, OffsetGap):
            self._call_the_operator(error)
        if not self._calm_ended and (error is not None or not self._calm):
            self.scheduler.at(self.scheduler.now + self.rng.uniform(0.1, 30), self._restart)

    def _restart(self) -> None:
        if not self._calm or not self._running():
            self._start()

    def _call_the_operator(self, error: OffsetGap) -> None:
        """Somebody reads the message and does what it says, a little later."""
        told = str(error)
        lines = [line.replace("'...'", OPERATOR) for line in told.splitlines() if _DO in line]
        commands = [shlex.split(line) for line in lines]
        assert commands or "Start the worker again" in told, f"no command in: {told}"
        self._operating += 1
        delay = self.rng.uniform(0, 20)
        self.scheduler.at(self.scheduler.now + delay, lambda: self._operate(commands))

    def _operate(self, commands: Sequence[Sequence[str]]) -> None:
        process = self._process("op")
        process.on_death.append(self._operator_leaves)

        def work() -> None:
            for _, _, _, *command in commands:
                result = "no longer true" if self._is_old(command) else "done"
                try:
                    if result == "done":
                        accept_gap(process, self._client(process), self.profile, command)
                except CdcArchiveError as refused:
                    result = repr(refused)
                self.counts["gaps accepted" if result == "done" else "gaps refused"] += 1
                self.note(process, f"gap accept {command}: {result}")
            process.kill()

        process.spawn(work)

    def _operator_leaves(self) -> None:
        self._operating -= 1

    def _is_old(self, command: Sequence[str]) -> bool:
        """The operator looks at the log himself where the command does not say of which topic."""
        topic, partition, _, start, _, end, *rest = command
        log = self.broker.logs.get(TopicPartition(topic, int(partition)))
        if "--topic-id" in rest:
            return False
        if log is None or int(end) > log.start:
            return True
        return int(end) <= int(start) <= log.end

    def _running(self) -> list[Node]:
        return [node for node in self.nodes if not node.process.dead and not node.process.frozen]

    def _fuse(self) -> int:
        every = self.profile.strike_every
        return int(self.rng.expovariate(1 / every)) + 1 if every and not self._calm else 1 << 60

    def _strike(self, process: Process) -> int:
        """At whatever call it is just now."""
        if self.rng.random() < self.profile.freezes:
            self._freeze(process)
        else:
            self._kill(process)
        return self._fuse()

    def _kill(self, process: Process) -> None:
        self.counts["crashes"] += 1
        self.note(process, "is killed")
        process.kill()
        if process.name.startswith("w"):
            self.scheduler.at(self.scheduler.now + self.rng.uniform(0.1, 30), self._restart)

    def _freeze(self, process: Process) -> None:
        self.counts["freezes"] += 1
        process.freeze()
        self.frozen.append(process)
        seconds = self.rng.uniform(0, self.profile.longest_freeze_s)
        self.note(process, f"stands still for {seconds:.0f} s")
        self.scheduler.at(self.scheduler.now + seconds, partial(self._thaw, process))

    def _thaw(self, process: Process, *, anyway: bool = False) -> None:
        if anyway or not self._calm:
            self.note(process, "goes on")
            process.thaw(suspended=self.rng.random() < 0.5)

    def _nemesis(self) -> None:
        what = self.rng.choice(self.profile.nemesis)
        now, rng, broker = self.scheduler.now, self.rng, self.broker
        running = self._running()
        simple = {
            "rebalance": broker.group.rebalance,
            "retention": broker.retain,
            "compaction": broker.compact,
            "reset_offset": broker.reset_offset,
            "add_partition": broker.add_partition,
            "make_again": broker.make_again if self._operating == 0 else broker.compact,
        }
        if what in simple:
            simple[what]()
        elif what == "outage":
            self.weather.down_until = now + rng.uniform(0, 3 * self.profile.retry_s)
            self.note(None, f"the store is down until {self.weather.down_until:.0f}")
        elif what == "deny":
            self.weather.denied_until = now + rng.uniform(0, 30)
            self.note(None, f"credentials are expired until {self.weather.denied_until:.0f}")
        elif what == "move_in":
            if len(running) < 2 * self.profile.workers:
                self._start()
        elif running:
            self._befall(what, rng.choice(running))

    def _befall(self, what: str, node: Node) -> None:
        if what == "kill":
            self._kill(node.process)
        elif what == "freeze":
            self._freeze(node.process)
        elif what == "stop":
            node.stopping = True
        else:
            jump = self.rng.choice([-1e6, -3600.0, 3600.0, 1e7])
            node.process.wall_skew += jump
            self.counts["clock jumps"] += 1
            self.note(node.process, f"clock jumps by {jump:g} s")

    def _calm_down(self) -> None:
        """No more faults; who is not frozen is killed or frozen; one calm worker comes."""
        self.note(None, "calm")
        self.counts["zombies at the end"] += sum(not one.dead for one in self.frozen)
        self._calm = self.weather.calm = True
        self.broker.source_fails = 0.0
        for node in self._running():
            node.process.fuse = 1 << 60
            if self.rng.random() < 0.5:
                node.process.kill()
            else:
                node.process.freeze()
                self.frozen.append(node.process)
        self.broker.end_all_transactions()
        logs = self.broker.logs.items()
        self._wanted = [(place, max(log.live(), default=-1), log.topic_id) for place, log in logs]
        self.profile = replace(self.profile, stop_deadline_s=120.0)
        self._start()

    def _complete(self) -> bool:
        ends, ids = self.bucket.ends, self.bucket.topic_ids
        return all(
            last < 0 or (ends.get(place, 0) > last and ids.get(place) in (None, topic_id))
            for place, last, topic_id in self._wanted
        )

    def _missing(self) -> str:
        ends, logs = self.bucket.ends, self.broker.logs
        return ", ".join(
            f"{place}: archived to {ends.get(place)}, log [{log.start}, {log.stable_end})"
            for place, log in logs.items()
        )

    def _wake_the_dead(self) -> None:
        """Whoever slept goes on after all is done, and must not harm."""
        self._calm_ended = True
        for process in self.frozen:
            if not process.dead:
                self._thaw(process, anyway=True)
        self.scheduler.run(self.scheduler.now + 60.0)
        for node in self.nodes:
            if not node.process.dead:
                node.process.kill()
        self.scheduler.run(self.scheduler.now + 200.0)
        assert NEVER not in self.bucket.ends.values()
