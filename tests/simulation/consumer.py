"""The client side of the group: implements the source's port as Kafka's clients behave.

It fetches ahead, hands out what it has buffered although it is no member any more, and learns of
its fate only with a heartbeat.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial as bound
from typing import TYPE_CHECKING

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import SourceBusy, SourceUnreachable
from cdc_archive.source.message import Message
from cdc_archive.source.out_of_range import out_of_range
from cdc_archive.source.source import AssignmentListener, TopicFacts
from simulation.group import Member
from simulation.scheduler import Process

if TYPE_CHECKING:
    from simulation.broker import Broker

_ROUND_TRIP_S = 0.01


class Position:
    """Where one partition is read: the next offset to fetch, and what was fetched."""

    def __init__(self, offset: int) -> None:
        self.paused = False
        self.seek(offset)

    def seek(self, offset: int) -> None:
        """Forget what was fetched."""
        self.fetch = self.next = offset
        self.buffer: deque[Message] = deque()


class Consumer:
    """See the port, source/source.py.

    Args:
        process: whose calls these are.
        broker: the other side.
    """

    def __init__(self, process: Process, broker: Broker) -> None:
        self._process, self._broker = process, broker
        self._profile, self._group = broker.profile, broker.group
        self._rng = process.rng
        self._listener: AssignmentListener | None = None
        self._member: Member | None = None
        self._positions: dict[TopicPartition, Position] = {}
        self._learns_at = 0.0
        self._hint_at = 0.0
        self.polled_at = 0.0

    def open(self, listener: AssignmentListener) -> None:
        self._ask()
        self._listener = listener

    def poll(self, timeout_s: float) -> Sequence[Message]:
        self._process.point()
        if self._member is not None:
            self._member.polled_at = self._now
        if self._rng.random() < self._broker.source_fails:
            raise SourceUnreachable("no broker answers")
        self._follow_the_group()
        self._process.sleep(self._rng.uniform(0, _ROUND_TRIP_S))
        messages = self._take()
        if not messages:
            self._process.sleep(self._rng.uniform(timeout_s / 2, timeout_s))
        self._process.point()
        if self._member is not None:
            self._member.polled_at = self._now
        self.polled_at = self._process.monotonic()
        return messages

    def _follow_the_group(self) -> None:
        member = self._member
        if member is None:
            self._member = member = self._group.join(self._process)
            self._group.ready(member, [])
        elif member.gone:
            self._mourn(member)
        elif member.pending is not None:
            self._apply(member)
        elif self._group.joining and not member.joined and self._now >= member.told_at:
            self._rejoin(member)

    def _mourn(self, member: Member) -> None:
        """No member any more: goes on as if it were, until a heartbeat tells."""
        if self._learns_at == 0.0:
            self._broker.counts["zombies"] += 1
            self._learns_at = self._now + self._rng.uniform(0, 2 * self._profile.heartbeat_s)
            if member.pending is not None:  # the answer lay in the socket's buffer
                self._apply(member)
            return
        if self._now < self._learns_at:
            return
        self._learns_at, self._member = 0.0, None
        self._tell("on_lost", sorted(self._positions))

    def _rejoin(self, member: Member) -> None:
        if not self._profile.cooperative:
            self._tell("on_revoked", sorted(self._positions))
        if not member.gone:
            self._group.ready(member, sorted(self._positions))

    def _apply(self, member: Member) -> None:
        assigned, member.pending = member.pending or [], None
        gone = [one for one in sorted(self._positions) if one not in assigned]
        added = [one for one in assigned if one not in self._positions]
        self._tell("on_revoked", gone)
        if added:
            assert self._listener is not None
            starts = self._listener.on_assigned(added)
            for one in added:
                first = starts[one] if one in starts else self.log_range(one).start
                self._positions[one] = Position(first)
        self._broker.note(self._process, f"owns {[str(one) for one in sorted(self._positions)]}")
        if gone and not member.gone:
            self._group.rebalance()

    def _tell(self, what: str, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        self._broker.note(self._process, f"{what} {[str(one) for one in partitions]}")
        getattr(self._listener, what)(partitions)
        for one in partitions:
            self._positions.pop(one, None)

    def _take(self) -> list[Message]:
        messages: list[Message] = []
        places = sorted(self._positions)
        self._rng.shuffle(places)
        for place in places:
            position = self._positions[place]
            if position.paused:
                continue
            self._fetch(place, position)
            while position.buffer and len(messages) < self._profile.poll_records:
                messages.append(position.buffer.popleft())
                position.next = messages[-1].offset + 1
            if not position.buffer:
                position.next = position.fetch
        return messages

    def _fetch(self, place: TopicPartition, position: Position) -> None:
        if position.buffer:
            return
        log = self._broker.logs.get(place)
        if log is None:
            return
        if not log.start <= position.fetch <= log.end:
            raise out_of_range(place, position.fetch, OffsetRange(log.start, log.stable_end))
        found, position.fetch = log.read(position.fetch, self._profile.prefetch)
        position.buffer.extend(one.message for one in found)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._process.point()
        if partition in self._positions:
            self._positions[partition].seek(offset)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._set_paused(partitions, paused=True)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._set_paused(partitions, paused=False)

    def _set_paused(self, partitions: Iterable[TopicPartition], *, paused: bool) -> None:
        self._process.point()
        self._broker.counts["pauses"] += paused
        for one in partitions:
            if one in self._positions:
                self._positions[one].paused = paused

    def log_range(self, partition: TopicPartition) -> OffsetRange:
        self._ask()
        log = self._broker.logs.get(partition)
        if log is None:
            raise SourceUnreachable(f"{partition} is not there")
        return OffsetRange(log.start, log.stable_end)

    def topic_facts(self, topic: str) -> TopicFacts:
        try:
            self._ask()
        except SourceUnreachable as error:
            raise SourceBusy(error.what) from None
        return self._broker.facts(topic)

    def _ask(self) -> None:
        self._process.point()
        if self._rng.random() < self._broker.source_fails:
            raise SourceUnreachable("no broker answers")
        self._process.sleep(self._rng.uniform(0, _ROUND_TRIP_S))
        self._process.point()

    def position(self, partition: TopicPartition) -> int | None:
        position = self._positions.get(partition)
        return None if position is None else position.next

    def lag(self, partition: TopicPartition) -> int | None:
        position = self._positions.get(partition)
        log = self._broker.logs.get(partition)
        if position is None or log is None:
            return None
        return max(0, log.stable_end - position.next)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._process.point()
        if self._member is not None:
            member, group = self._member, self._group
            self._hint_at = max(self._hint_at, self._now + self._rng.uniform(0, _ROUND_TRIP_S))
            for one, to in offsets.items():
                arrive: Callable[[], None] = bound(group.commit, member, member.generation, one, to)
                self._broker.scheduler.at(self._hint_at, arrive)
        self._process.point()

    def committed(self, partition: TopicPartition) -> int | None:
        """What the group holds; nothing of ours ever asks."""
        return self._group.offsets.get(partition)

    @property
    def exhausted(self) -> bool:
        return False

    def close(self) -> None:
        if self._process.dead:
            return
        self._process.point()
        if self._member is not None:
            self._group.leave(self._member)

    @property
    def _now(self) -> float:
        return self._broker.scheduler.now
