"""Looks at a cluster: what is asked, in which order, whichever client asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, TypeVar

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import CdcArchiveError
from cdc_archive.source.cluster import (
    EARLIEST,
    LATEST,
    ClusterAdmin,
    ClusterFacts,
    PartitionFacts,
    Replicas,
    TopicLook,
)

_T = TypeVar("_T")
_HOUR_MS: Final = 3_600_000
_ROUNDS: Final = 14
"""Of halving the time in which the oldest waiting message is looked for."""
_LONGEST_MS: Final = 30 * 24 * _HOUR_MS

Heads = Mapping[TopicPartition, int]


def look(
    admin: ClusterAdmin,
    wants: Callable[[str], bool],
    named: Collection[str],
    group: str,
    heads: Heads,
    now_ms: int,
) -> ClusterFacts:
    """What the cluster says.

    Args:
        admin: asks it.
        wants: whether the archive reads a topic.
        named: topics that the settings name.
        group: the consumer group of the workers.
        heads: the offset at which the archive goes on, by topic partition.
        now_ms: the time now, Unix milliseconds.

    Raises:
        SourceDenied, SourceBusy: not even the topics can be had.
    """
    return _Look(admin, now_ms, heads).facts(wants, named, group)


class _Look:
    def __init__(self, admin: ClusterAdmin, now_ms: int, heads: Heads) -> None:
        self._admin = admin
        self._now_ms = now_ms
        self._heads = heads
        self._unseen: dict[str, str] = {}

    def facts(
        self, wants: Callable[[str], bool], named: Collection[str], group: str
    ) -> ClusterFacts:
        admin, known = self._admin, self._admin.topics()
        ours = {name: known[name] for name in sorted(known) if wants(name)}
        configs = self._try("topic settings", lambda: admin.topic_config(list(ours))) or {}
        broker = self._try("broker settings", admin.broker_config) or {}
        allowed = self._try("rights", lambda: admin.operations(list(ours))) or {}
        looked = self._partitions(ours, configs)
        found = self._try("group", lambda: admin.group(group))
        return ClusterFacts(
            self._now_ms,
            admin.brokers(),
            tuple(sorted(known)),
            tuple(
                TopicLook(name, looked[name], configs.get(name), allowed.get(name)) for name in ours
            ),
            tuple(sorted(set(named) - set(known))),
            broker,
            found,
            self._unseen,
        )

    def _try(self, fact: str, ask: Callable[[], _T]) -> _T | None:
        try:
            return ask()
        except CdcArchiveError as error:
            self._unseen[fact] = error.what
            return None

    def _partitions(
        self, topics: Mapping[str, tuple[Replicas, ...]], configs: Mapping[str, Mapping[str, str]]
    ) -> dict[str, tuple[PartitionFacts, ...]]:
        every = [TopicPartition(name, one) for name in topics for one in range(len(topics[name]))]
        first, end = self._at(every, EARLIEST), self._at(every, LATEST)
        hour = self._at(every, self._now_ms - _HOUR_MS)
        limited = [
            name for name, one in configs.items() if int(one.get("retention.bytes", -1)) >= 0
        ]
        sizes = self._sizes(limited) if limited else {}
        waiting = {
            one: max(first[one], self._heads.get(one, 0))
            for one in every
            if one in first and max(first[one], self._heads.get(one, 0)) < end.get(one, 0)
        }
        since = self._waits_since(waiting, configs)

        def facts(one: TopicPartition) -> PartitionFacts:
            ago = hour.get(one)
            return PartitionFacts(
                one.partition,
                topics[one.topic][one.partition],
                first.get(one),
                end.get(one),
                self._heads.get(one),
                end.get(one) if ago == -1 else ago,
                since.get(one),
                sizes.get(one),
            )

        return {
            name: tuple(facts(TopicPartition(name, one)) for one in range(len(topics[name])))
            for name in topics
        }

    def _at(self, partitions: Collection[TopicPartition], when: int) -> Heads:
        if not partitions:
            return {}
        asked = dict.fromkeys(partitions, when)
        return self._try("offsets", lambda: self._admin.offsets(asked)) or {}

    def _sizes(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        found = self._try("log sizes", lambda: self._admin.sizes(topics))
        if found is None:
            self._unseen.setdefault("log sizes", "librdkafka cannot ask for them")
        return found or {}

    def _waits_since(
        self, waiting: Heads, configs: Mapping[str, Mapping[str, str]]
    ) -> dict[TopicPartition, int]:
        """By halving: the latest time at which the next message was still to come."""
        early = {one: self._now_ms - _window_ms(configs.get(one.topic, {})) for one in waiting}
        late = dict.fromkeys(waiting, self._now_ms)
        for _ in range(_ROUNDS if waiting else 0):
            middle = {one: (early[one] + late[one]) // 2 for one in waiting}
            found = self._try("offsets", partial(self._admin.offsets, middle)) or {}
            for one, offset in found.items():
                if 0 <= offset <= waiting[one]:
                    early[one] = middle[one]
                else:
                    late[one] = middle[one]
        return early


def _window_ms(config: Mapping[str, str]) -> int:
    """How far back a message may lie: the topic's retention, and half as much again."""
    told = int(config.get("retention.ms", "-1") or -1)
    return _LONGEST_MS if told < 0 else told * 3 // 2
