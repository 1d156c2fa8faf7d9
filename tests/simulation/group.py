"""A consumer group as its coordinator sees it: members, generations, assignments, offsets.

Eager: all give up everything, join, and are handed a new assignment. Cooperative: all join with
what they hold, and a partition that must move is first taken away and handed out one rebalance on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from cdc_archive.changelog.position import TopicPartition
from simulation.profile import Profile
from simulation.scheduler import Process, Scheduler

Partitions = Callable[[], list[TopicPartition]]
Told = Callable[[TopicPartition, int], None]


class Member:
    """A member: what it holds, and what the coordinator has for it."""

    def __init__(self, process: Process, name: str) -> None:
        self.process, self.name = process, name
        self.generation = 0
        self.holds: list[TopicPartition] = []
        self.pending: list[TopicPartition] | None = None
        self.joined = self.gone = False
        self.polled_at = self.told_at = process.scheduler.now


class Group:
    """The coordinator.

    Args:
        scheduler: time.
        rng: decides who gets what.
        profile: protocol and timeouts.
        partitions: all there are now.
        committed: told of each committed offset that is accepted.
        counts: what happened how often.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        rng: Random,
        profile: Profile,
        partitions: Partitions,
        committed: Told,
        counts: Counter[str],
    ) -> None:
        self._scheduler, self._rng, self._profile = scheduler, rng, profile
        self._partitions, self._committed, self._counts = partitions, committed, counts
        self.members: list[Member] = []
        self.offsets: dict[TopicPartition, int] = {}
        self.generation = 0
        self.joining = False
        self._deadline = 0.0
        self._names = 0
        scheduler.at(1.0, self._tick)

    def join(self, process: Process) -> Member:
        """A new member."""
        self._names += 1
        member = Member(process, f"m{self._names}")
        self.members.append(member)
        self.rebalance()
        return member

    def leave(self, member: Member) -> None:
        """A member that says good-bye, or one that is given up on."""
        if member.gone:
            return
        member.gone = True
        self.members.remove(member)
        self.rebalance()
        self._complete_if_all_joined()

    def rebalance(self) -> None:
        """Ask all members to join again; each hears of it with its next heartbeat."""
        if self.joining:
            return
        self.joining = True
        self._deadline = self._scheduler.now + self._profile.max_poll_s
        for member in self.members:
            member.joined = False
            member.told_at = self._scheduler.now + self._rng.uniform(0, self._profile.heartbeat_s)

    def ready(self, member: Member, holds: list[TopicPartition]) -> None:
        """A member joins, holding these."""
        member.joined, member.holds, member.pending = True, holds, None
        self._complete_if_all_joined()

    def commit(self, member: Member, generation: int, partition: TopicPartition, to: int) -> None:
        """A member tells an offset; one of another generation is not heard."""
        if member.gone or generation != self.generation:
            self._counts["offsets refused"] += 1
            return
        self.offsets[partition] = to
        self._committed(partition, to)

    def _tick(self) -> None:
        profile, now = self._profile, self._scheduler.now
        for member in [*self.members]:
            silent = member.process.unresponsive_for() > profile.session_s
            if silent or now - member.polled_at > profile.max_poll_s:
                self._counts["members timed out"] += 1
                self.leave(member)
        if self.joining and now > self._deadline:
            for member in [*self.members]:
                if not member.joined:
                    self._counts["members timed out"] += 1
                    self.leave(member)
        self._scheduler.at(now + profile.session_s / 3, self._tick)

    def _complete_if_all_joined(self) -> None:
        if not self.joining or not self.members or not all(one.joined for one in self.members):
            return
        self.joining = False
        self.generation += 1
        self._counts[f"rebalances {self._profile.protocol}"] += 1
        owners = self._cooperative() if self._profile.cooperative else self._eager()
        for member in self.members:
            member.generation = self.generation
            member.pending = sorted(one for one, owner in owners.items() if owner is member)

    def _eager(self) -> dict[TopicPartition, Member]:
        members = [*self.members]
        self._rng.shuffle(members)
        return {one: members[i % len(members)] for i, one in enumerate(self._partitions())}

    def _cooperative(self) -> dict[TopicPartition, Member]:
        there = self._partitions()
        held = {one: owner for owner in self.members for one in owner.holds if one in there}
        loads = {member.name: len(member.holds) for member in self.members}
        wanted = dict(held)
        for one in there:
            if one not in wanted:
                least = min(self.members, key=lambda member: loads[member.name])
                wanted[one] = least
                loads[least.name] += 1
        for one, member in sorted(wanted.items(), key=lambda item: item[0]):
            least = min(self.members, key=lambda member: loads[member.name])
            if loads[member.name] - loads[least.name] > 1:
                wanted[one] = least
                loads[member.name] -= 1
                loads[least.name] += 1
        return {one: member for one, member in wanted.items() if held.get(one, member) is member}
