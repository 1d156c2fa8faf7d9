"""A loss is never crossed in silence: the worker stops, a person accepts, the chain says so."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from itertools import pairwise

import pytest
from support.build import change, changes, message
from support.captures import messages
from support.simulated_source import SimulatedSource
from support.workshop import Later, Workshop, archived, ranges

from cdc_archive.archive.format.commit import Commit, Writer
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer import losses
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import (
    ArchiveDamaged,
    CdcArchiveError,
    GapRefused,
    NothingFound,
    OffsetGap,
    SourceBusy,
    SourceUnreachable,
    StreamBroken,
)
from cdc_archive.source.message import Message
from cdc_archive.source.source import TopicFacts
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStat
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)
P1 = TopicPartition("pg.app.t", 1)
OLD, NEW = TopicFacts("old-id", 1), TopicFacts("new-id", 1)


def source(log: list[Message], facts: TopicFacts = OLD, **how: object) -> SimulatedSource:
    made = SimulatedSource(log, **how)
    made.topics = {P0.topic: facts}
    return made


def accept(store: MemoryStore, error: CdcArchiveError) -> None:
    """Do what the message says, with its own words as arguments."""
    commands = re.findall(r"^ +cdc-archive gap accept (.*)$", error.action, re.MULTILINE)
    assert commands
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1771516800.0)
    for command in commands:
        words = shlex.split(command)
        told = dict(pairwise(words))
        why = losses.Accepted("storm", "ann")
        if "--connector" in told:
            stream = losses.Stream(told["--connector"], int(told["--position"]))
            list(losses.of_stream(store, "archive-1", committer, stream, why))
            continue
        place = TopicPartition(words[0], int(words[1]))
        lost = OffsetRange(int(told["--from"]), int(told["--to"]))
        losses.of_log(store, "archive-1", committer, place, lost, why, told.get("--topic-id"))


def stopped(store: MemoryStore, log: SimulatedSource, error: type[OffsetGap]) -> OffsetGap:
    with pytest.raises(error) as raised:
        Workshop(log, store).run()
    return raised.value


def kept(store: MemoryStore) -> list[int]:
    return [one.record.offset for one in archived(store)]


def commits(store: MemoryStore, partition: TopicPartition = P0) -> list[Commit]:
    return list(ArchiveReader(store).commits(partition))


def test_what_retention_took_is_recorded_and_the_chain_goes_on() -> None:
    """From the message's own command, with reason and person."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    late = changes(4, start=8)
    accept(store, stopped(store, source(late, log_start={P0: 8}), OffsetGap))
    Workshop(source(late, log_start={P0: 8}), store).run()
    assert kept(store) == [0, 1, 2, 8, 9, 10, 11]
    (gap,) = commits(store)[1].gaps
    assert (gap.start, gap.end, gap.kind, gap.reason) == (3, 8, "deleted", "storm")
    assert gap.accepted_by == "ann"


def test_what_was_read_before_a_gap_is_committed_before_the_stop() -> None:
    """Other partitions do not read it all again."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    log = source([*changes(4, start=8), *changes(5, partition=1)], TopicFacts("old-id", 2))
    log.log_start = {P0: 8}
    log.open = lambda listener: (setattr(log, "listener", listener), log.assign(P1))
    shop = Workshop(log, store)
    steps = iter(range(100))

    def stop() -> bool:
        if next(steps) == 1:
            log.assign(P0)
        return False

    with pytest.raises(OffsetGap):
        shop.worker.run(stop)
    assert ranges(store, P1) == [(0, 5)]


@pytest.mark.parametrize("count", [2, 3, 9], ids=["shorter", "as long", "longer"])
def test_a_topic_made_again_stops_the_worker_whatever_its_length(count: int) -> None:
    """The same name and offsets, another id: nothing of it is taken for what the chain awaits."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    again = source(changes(count), NEW)
    error = stopped(store, again, OffsetGap)
    assert "new-id" in str(error)
    assert kept(store) == [0, 1, 2]
    accept(store, error)
    Workshop(source(changes(count), NEW), store).run()
    assert kept(store) == [0, 1, 2, *range(count)]
    assert [commit.log.incarnation for commit in commits(store)] == [0, 1, 1]
    assert commits(store)[-1].log.topic_id == "new-id"
    assert commits(store)[1].gaps[0].kind == "restarted"


def test_equal_messages_of_two_incarnations_are_told_apart() -> None:
    """Their ids in the archive and in replay differ, though topic, partition and offset do not."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    accept(store, stopped(store, source(changes(3), NEW), OffsetGap))
    Workshop(source(changes(3), NEW), store).run()
    places = [(one.incarnation, one.record.offset) for one in archived(store)]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_topic_made_again_while_it_is_read_is_noticed_before_the_commit() -> None:
    """The id is asked for after the last message was read and before the commit is made."""
    store, later = MemoryStore(), Later()
    log = source(changes(3))
    shop = Workshop(log, store, Limits(commit_records=3), later)
    shop.start()
    shop.worker.step()
    log.topics = {P0.topic: NEW}
    later.run()
    with pytest.raises(OffsetGap, match="made again while it was read"):
        shop.worker.step()
    assert list(store.list("commits/")) == []


def test_a_late_commit_of_the_old_topic_is_not_gone_on_from() -> None:
    """It arrives after the new topic was taken up, whose first messages it would hide."""
    store, later = MemoryStore(), Later()
    shop = Workshop(source(changes(9), NEW), store, Limits(commit_records=9), later)
    shop.start()
    shop.worker.step()
    Workshop(source(changes(3)), store).run()
    later.run()
    with pytest.raises(OffsetGap, match="made again"):
        shop.worker.step()
    accept(store, stopped(store, source(changes(9), NEW), OffsetGap))
    Workshop(source(changes(9), NEW), store).run()
    assert kept(store) == [0, 1, 2, *range(9)]


def test_a_sleeper_takes_a_chain_of_the_new_topic_for_what_it_is() -> None:
    """Whoever slept while the topic was made again knows the old one; the chain is newer."""
    store, later = MemoryStore(), Later()
    log = source(changes(3))
    shop = Workshop(log, store, Limits(commit_records=3), later)
    shop.start()
    shop.worker.step()
    Workshop(source(changes(5), NEW), store).run()
    later.run()
    log.log, log.topics = source(changes(7)).log, {P0.topic: NEW}
    shop.worker.step()
    assert len(shop.notes.fences) == 1
    shop.worker.step()
    shop.clock.now += 61
    shop.worker.step()
    later.run()
    shop.worker.step()
    assert kept(store) == [*range(7)]


def test_a_topic_that_is_gone_keeps_what_was_read_of_it() -> None:
    """Deleted is not made again: its last messages can be had nowhere else."""
    store = MemoryStore()
    log = source(changes(3))
    shop = Workshop(log, store, Limits(commit_records=3))
    shop.start()
    log.topics = {}
    for _ in range(2):
        shop.worker.step()
    assert ranges(store, P0) == [(0, 3)]


def test_a_log_that_was_cut_back_goes_on_in_a_new_incarnation() -> None:
    """The broker lost the end of the log: its next messages get offsets that we know."""
    store = MemoryStore()
    Workshop(source(changes(9)), store).run()
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1.0)
    head = chain.head(store, "archive-1", P0)
    assert head is not None
    why = losses.Accepted("unclean election", "ann")
    losses.of_log(store, "archive-1", committer, P0, OffsetRange(9, 5), why)
    Workshop(source(changes(7)), store).run()
    assert kept(store) == [*range(9), 5, 6]


def test_a_commit_that_jumps_without_a_restart_is_damage() -> None:
    """Only a recorded restart lets offsets go back."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    accept(store, stopped(store, source(changes(2), NEW), OffsetGap))
    key = "commits/pg.app.t/0/000000000001.json"
    commit = json.loads(store.get(key))
    commit["gaps"][0]["kind"] = "source"
    store._objects[key] = (json.dumps(commit).encode(), 0.0)
    with pytest.raises(ArchiveDamaged, match="incarnation"):
        commits(store)


def test_a_partition_added_later_must_be_whole() -> None:
    """Its first messages are lost if retention took them before the worker saw the partition."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    log = [*changes(3), *changes(2, start=4, partition=1)]
    grown = source(log, TopicFacts("old-id", 2), log_start={P1: 4})
    error = stopped(store, grown, OffsetGap)
    accept(store, error)
    Workshop(source(log, TopicFacts("old-id", 2), log_start={P1: 4}), store).run()
    assert ranges(store, P1) == [(0, 4), (4, 6)]


def test_a_loss_is_that_of_the_topic_that_it_was_told_of() -> None:
    """If that is made again before somebody acts, nothing of the new one counts as lost."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    log = [*changes(3), *changes(2, start=4, partition=1)]
    error = stopped(store, source(log, TopicFacts("old-id", 2), log_start={P1: 4}), OffsetGap)
    accept(store, error)
    again = [*changes(2), *changes(6, partition=1)]
    accept(store, stopped(store, source(again, TopicFacts("new-id", 2)), OffsetGap))
    Workshop(source(again, TopicFacts("new-id", 2)), store).run()
    found = [one for one in archived(store) if one.record.partition == 1]
    assert [(one.incarnation, one.record.offset) for one in found] == [(1, n) for n in range(6)]


def test_a_log_that_was_cut_before_the_archive_began_is_no_gap() -> None:
    """Whatever partition of it is seen first."""
    store = MemoryStore()
    facts = TopicFacts("old-id", 2)
    Workshop(source(changes(3, start=7), facts, log_start={P0: 7}), store).run()
    log = [*changes(3, start=7), *changes(2, start=4, partition=1)]
    Workshop(source(log, facts, log_start={P0: 7, P1: 4}), store).run()
    assert ranges(store, P1) == [(4, 6)]


def test_a_topic_that_was_made_again_is_accepted_once() -> None:
    """A worker that was told late must not begin the chain anew where the new topic's offsets have
    come to where the old one's ended.
    """
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    late = stopped(store, source(changes(3), NEW), OffsetGap)
    accept(store, late)
    Workshop(source(changes(3), NEW), store).run()
    with pytest.raises(GapRefused, match="new-id already"):
        accept(store, late)
    assert ranges(store, P0) == [(0, 3), (0, 0), (0, 3)]


def test_a_worker_that_sleeps_while_a_new_topic_is_accepted_takes_it_for_what_it_is() -> None:
    """What the cluster said before the chain's head was read is out of date."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    late = source(changes(2))

    class Slow(MemoryStore):
        def stat(self, key: str) -> ObjectStat | None:
            if late.topics[P0.topic] is OLD:
                late.topics = {P0.topic: NEW}
                accept(store, stopped(store, source(changes(2), NEW), OffsetGap))
            return store.stat(key)

    slow = Slow()
    slow._objects = store._objects
    Workshop(late, slow).run()
    assert ranges(store, P0) == [(0, 3), (0, 0), (0, 2)]


def test_the_wrong_loss_is_not_recorded() -> None:
    """A command that is out of date changes nothing."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1.0)
    why = losses.Accepted("r", "ann")
    for lost in (OffsetRange(2, 8), OffsetRange(4, 8)):
        with pytest.raises(GapRefused, match="ends at 3"):
            losses.of_log(store, "archive-1", committer, P0, lost, why)
    with pytest.raises(GapRefused, match="no chain yet"):
        losses.of_log(store, "archive-1", committer, P1, OffsetRange(3, 3), why)
    with pytest.raises(NothingFound, match="nobody"):
        list(losses.of_stream(store, "archive-1", committer, losses.Stream("nobody", 1), why))
    assert ranges(store, P0) == [(0, 3)]


@pytest.mark.parametrize(
    ("lost", "held", "topic_id", "refused"),
    [
        (OffsetRange(3, 8), OffsetRange(8, 9), None, False),
        (OffsetRange(3, 7), OffsetRange(8, 9), None, False),
        (OffsetRange(3, 8), OffsetRange(0, 9), None, True),
        (OffsetRange(3, 8), OffsetRange(5, 9), None, True),
        (OffsetRange(3, 9), OffsetRange(3, 3), None, True),
        (OffsetRange(3, 2), OffsetRange(0, 2), None, False),
        (OffsetRange(3, 2), OffsetRange(0, 1), None, True),
        (OffsetRange(3, 0), OffsetRange(0, 9), "new-id", False),
        (OffsetRange(3, 1), OffsetRange(0, 9), "new-id", True),
    ],
)
def test_what_the_log_still_holds_is_not_accepted_as_lost(
    lost: OffsetRange, held: OffsetRange, topic_id: str | None, *, refused: bool
) -> None:
    """A typing error loses nothing."""
    store = MemoryStore()
    Workshop(source(changes(3)), store).run()
    committer = Committer(store, "archive-1", Writer("test", "0", "w"), lambda: 1.0)
    arguments = (store, "archive-1", committer, P0, lost, losses.Accepted("r", "ann"), topic_id)
    if refused:
        with pytest.raises(GapRefused, match="not lost"):
            losses.of_log(*arguments, held)
        assert ranges(store, P0) == [(0, 3)]
    else:
        losses.of_log(*arguments, held)


def stream(*points: tuple[int, int | None, str], start: int = 0) -> list[Message]:
    """Changes at (LSN, LSN of the last commit, snapshot mark)."""
    out = []
    for number, (lsn, last_commit, snapshot) in enumerate(points):
        value = json.loads(change("r" if snapshot != "false" else "u"))
        sequence = json.dumps([last_commit and str(last_commit), str(lsn)])
        value["source"] |= {"lsn": lsn, "sequence": sequence, "snapshot": snapshot}
        text = json.dumps(value, separators=(",", ":")).encode()
        out.append(message(text, offset=start + number))
    return out


STREAMED = ((10, None, "first"), (10, None, "last"), (20, None, "false"), (30, 25, "false"))


@pytest.mark.parametrize(
    "anew",
    [(50, None, "first"), (5, None, "first"), (50, None, "false")],
    ids=["snapshot", "snapshot of a restored database", "a slot without a snapshot"],
)
def test_a_connector_that_begins_anew_stops_the_worker(anew: tuple[int, None, str]) -> None:
    """Its slot was lost: what changed in between was never sent, though no offset is missing."""
    store = MemoryStore()
    log = stream(*STREAMED, anew, (60, 55, "false"))
    error = stopped(store, source(log), StreamBroken)
    assert kept(store) == [0, 1, 2, 3]
    accept(store, error)
    Workshop(source(log), store).run()
    assert kept(store) == [0, 1, 2, 3, 4, 5]
    (gap,) = commits(store)[1].gaps
    assert (gap.kind, gap.start, gap.end) == ("source", 4, 4)
    assert "up to position 30, begins anew at" in gap.detail


def test_the_hole_is_seen_across_commits_and_restarts() -> None:
    """Each commit says how far the stream had come."""
    store = MemoryStore()
    Workshop(source(stream(*STREAMED)), store, Limits(commit_records=1)).run()
    log = stream(*STREAMED, (50, None, "first"))
    stopped(store, source(log), StreamBroken)
    assert kept(store) == [0, 1, 2, 3]


def test_one_accepted_hole_does_not_hide_the_next() -> None:
    """The second snapshot is another loss."""
    store = MemoryStore()
    log = stream(*STREAMED, (50, None, "last"), (60, 55, "false"), (70, None, "last"))
    accept(store, stopped(store, source(log), StreamBroken))
    accept(store, stopped(store, source(log), StreamBroken))
    Workshop(source(log), store).run()
    assert kept(store) == list(range(7))
    assert [gap.kind for commit in commits(store) for gap in commit.gaps] == ["source"] * 2


Points = tuple[tuple[int, int | None, str], ...]


@pytest.mark.parametrize(
    "points",
    [
        (*STREAMED, (20, None, "false"), (30, 25, "false"), (40, 35, "false")),
        (*STREAMED, (30, 25, "incremental"), (40, 35, "false")),
        ((10, None, "first"), (15, None, "first"), (15, None, "last"), (20, None, "false")),
        (*STREAMED, (30, None, "first"), (30, None, "last")),
    ],
    ids=["redelivered from its first words", "incremental", "snapshot begun again", "nothing new"],
)
def test_what_loses_nothing_is_no_hole(points: Points) -> None:
    """Redeliveries, incremental snapshots, and a snapshot that was cut off."""
    store = MemoryStore()
    Workshop(source(stream(*points)), store).run()
    assert kept(store) == list(range(len(points)))


@pytest.mark.parametrize("name", ["pg_js", "pg_jp", "pg_dup"])
def test_no_recorded_stream_is_taken_for_a_broken_one(name: str) -> None:
    """Not even that of a connector that was killed; each chain knows how far it came."""
    store = MemoryStore()
    Workshop(SimulatedSource(messages(name)), store, Limits(commit_records=50)).run()
    heads = [chain.head(store, "archive-1", one) for one in ArchiveReader(store).partitions()]
    assert sum(head is not None and head.source is not None for head in heads) > 5


def busy(times: int) -> Callable[[str], TopicFacts]:
    left = iter(range(times))

    def facts(topic: str) -> TopicFacts:
        if next(left, None) is not None:
            raise SourceBusy("no broker")
        return OLD

    return facts


def test_a_broker_that_does_not_tell_for_long_stops_the_worker() -> None:
    """It is the broker that is missing, not the topic."""
    log = source(changes(3))
    log.topic_facts = busy(3)
    with pytest.raises(SourceUnreachable, match="no broker"):
        Workshop(log, MemoryStore()).run()
