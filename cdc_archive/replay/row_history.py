"""The whole history of one row out of an archive: its versions, who made them, what is missing."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from cdc_archive.archive.reader import quarantine
from cdc_archive.archive.reader.row_search import RowSearch, Survey, survey
from cdc_archive.archive.reader.window import Window
from cdc_archive.archive.reader.woven import weave
from cdc_archive.audit.actor import ActorFound, Look, decided
from cdc_archive.audit.build import Builder
from cdc_archive.audit.mapping import Mapping
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import NothingFound
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.history.fold import Fold, ReadRow, canonical
from cdc_archive.history.missing import Missing
from cdc_archive.history.order import ChangeStream, by_connector, in_commit_order
from cdc_archive.history.redelivery import MemorySeen, Redeliveries
from cdc_archive.history.row_version import Life, RowVersion
from cdc_archive.history.states import MemoryStates
from cdc_archive.history.timeline import Timeline
from cdc_archive.replay import beside
from cdc_archive.replay.beside import SAME_TRANSACTION_US, Beside
from cdc_archive.replay.catalog import Catalog
from cdc_archive.replay.gather import Gathering
from cdc_archive.replay.run import read_row


class Asked(NamedTuple):
    """Which versions are asked for: those in a window; or only the last one of each life in it."""

    window: Window = Window()
    last_only: bool = False


class Told(NamedTuple):
    """A version and who made it (None for a state, which nobody made), with where that was looked
    for.
    """

    version: RowVersion
    actor: ActorFound | None
    looks: tuple[Look, ...] = ()


@dataclass
class LifeStory:
    """A life as far as it was asked for.

    `first` and `last` are its first and last versions, in the window or not; `earlier`, `later` and
    `untimed` count the versions that are not in it.
    """

    life: Life
    first: RowVersion
    last: RowVersion
    versions: list[RowVersion] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    earlier: int = 0
    later: int = 0
    untimed: int = 0

    def add(self, version: RowVersion, asked: Asked) -> None:
        """Take the next version; keep it if it is asked for."""
        self.last = version
        time, window = version.time_us, asked.window
        if window.holds(time):
            if asked.last_only:
                self.versions.clear()
            self.versions.append(version)
        elif time is None:
            self.untimed += 1
        elif window.start_us is not None and time < window.start_us:
            self.earlier += 1
        else:
            self.later += 1


@dataclass
class Losses:
    """What the archive is known to lack that could belong to the row.

    `quarantined` are messages of the table's topics that could not be decoded, by partition, and
    how many of them bear a key of the row; `gaps` the recorded losses; `skipped` what the settings
    left out; `keyless` changes of the table that bear no key; `unreadable` rows of the row's own
    messages. `redeliveries` were dropped, which loses nothing.
    """

    gaps: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    keyless: int = 0
    unreadable: int = 0
    redeliveries: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is known to be missing."""
        return not (self.gaps or self.quarantined or self.skipped or self.unreadable)


@dataclass
class RowHistory:
    """All lives that stood under the keys asked for, in the order in which they were first seen."""

    archive: str
    table: str
    asked: list[str]
    lives: list[LifeStory]
    losses: Losses

    @property
    def keys(self) -> list[str]:
        """All keys under which these lives stood."""
        return list(dict.fromkeys(key for one in self.lives for key in one.life.keys))


def of_row(catalog: Catalog, table: str, key: AskedKey, rules: Mapping, asked: Asked) -> RowHistory:
    """The history of the row that stands, or ever stood, under a key.

    Everything is read from the beginning, also for a window: what a version changed follows from
    the one before.

    Args:
        catalog: the archive.
        table: full name; the catalog has it.
        key: of the row.
        rules: where actors stand, and how rows are read.
        asked: which versions are kept.

    Raises:
        NothingFound: the table has no keys, or no row with this one; says why.
    """
    files = [partial(catalog.named_files, stream, table) for stream in catalog.streams(table)]
    found = survey(key, files, catalog.reader.named)
    if not found.found:
        raise _nothing(table, key, found, catalog)
    search, read = RowSearch(found, files, catalog.reader.named), read_row(rules)
    losses = _losses(catalog, table, search.keys)
    losses.keyless = found.keyless
    stories: list[LifeStory] = []
    for streams in _by_connector(catalog, table, search):
        fold = Fold(MemoryStates(), read, missing=Missing(catalog.plan.losses))
        stories += _stories(streams, Timeline(search.keys, read), fold, asked, losses)
    stories = sorted(
        (one for one in stories if search.asked.intersection(one.life.keys)),
        key=lambda one: one.first.time_us or 0,
    )
    _tell(catalog, rules, read, stories)
    return RowHistory(catalog.reader.info.id, table, sorted(search.asked), stories, losses)


def _nothing(table: str, key: AskedKey, found: Survey, catalog: Catalog) -> NothingFound:
    columns = found.columns or catalog.key_columns(table)
    if not columns:
        return NothingFound(
            f"{table} has no primary key: its {found.keyless:,} changes bear no key, so which of "
            "them are of one row cannot be told, and there is no history",
            "From now on: give the table a primary key, or name columns that identify a row in "
            "Debezium's message.key.columns and set REPLICA IDENTITY FULL (or USING INDEX).\n"
            f"  See its changes: cdc-archive cat --table {shlex.quote(table)}",
        )
    shapes = " or ".join(sorted(", ".join(one) or "a single value" for one in columns))
    return NothingFound(
        f"no row of {table} has or had the key {str(key)[:200]}",
        f"The key of this table is: {shapes}. Give it as JSON, as column=value (again for each "
        "column), or as the bare value of a key of one column.",
    )


def _by_connector(catalog: Catalog, table: str, search: RowSearch) -> Iterator[list[ChangeStream]]:
    """The row's changes; the positions of two connectors cannot be compared."""
    yield from by_connector(
        ChangeStream(
            number,
            search.of_row(weave(catalog.named_files(number, table, search.may_hold), search.read)),
            catalog.plan.restarts,
        )
        for number in catalog.streams(table)
    ).values()


def _stories(
    streams: list[ChangeStream], timeline: Timeline, fold: Fold, asked: Asked, losses: Losses
) -> list[LifeStory]:
    stories: dict[int, LifeStory] = {}
    for version in _versions(streams, timeline, fold, losses):
        life = timeline.lives[version.life]
        stories.setdefault(version.life, LifeStory(life, version, version)).add(version, asked)
    losses.unreadable += fold.unreadable
    return [*stories.values()]


def _versions(
    streams: list[ChangeStream], timeline: Timeline, fold: Fold, losses: Losses
) -> Iterator[RowVersion]:
    redeliveries = Redeliveries(MemorySeen())
    for change in in_commit_order(streams):
        if redeliveries.is_new(change):
            yield from timeline.apply(change, list(fold.apply(change)))
        else:
            losses.redeliveries += 1
    yield from timeline.finish()


def _tell(catalog: Catalog, rules: Mapping, read: ReadRow, stories: list[LifeStory]) -> None:
    """Find who made each version."""
    changes = [one for story in stories for one in story.versions if one.transition is not None]
    with closing(sqlite3.connect("", isolation_level=None)) as database:  # a file without a name
        with beside.filling(database):
            gathering = Gathering(
                catalog.reader, catalog.files, catalog.plan, rules, read, database
            )
            _gather(gathering, rules, sorted(one.time_us or 0 for one in changes))
        builder = Builder(rules, Beside(database))
        for story in stories:
            for version in story.versions:
                if version.transition is None:
                    story.told.append(Told(version, None))
                    continue
                looks = builder.looks(version.transition)
                story.told.append(Told(version, decided(looks), tuple(looks)))


def _gather(gathering: Gathering, rules: Mapping, times_us: list[int]) -> None:
    """What stands beside changes of these times, as far as the actor's sources ask for it."""
    if not times_us:
        return
    if rules.sources_beside():
        for window in _windows(times_us):
            gathering.testimonies(window)
    sources = [
        part
        for one in rules.actor.source
        for part in (one.value, one.template, one.plain)
        if part is not None
    ]
    if any(part.lookups for part in (*sources, rules.actor.template, rules.actor.plain) if part):
        gathering.lookups(times_us[-1] + 1)


def _windows(times_us: list[int]) -> Iterator[Window]:
    """Windows that hold all times, ascending; those that a gathering would see as one are one."""
    start = last = times_us[0]
    for time in times_us[1:]:
        if time - last > 2 * SAME_TRANSACTION_US:
            yield Window(start, last + 1)
            start = time
        last = time
    yield Window(start, last + 1)


def _losses(catalog: Catalog, table: str, keys: set[str]) -> Losses:
    losses = Losses()
    for stream, partition in catalog.streams(table).items():
        account = catalog.account(stream)
        losses.gaps += account.gaps
        losses.skipped += account.skipped
        if account.quarantined:
            losses.quarantined.append(_quarantined(catalog, partition, keys))
    return losses


def _quarantined(catalog: Catalog, partition: TopicPartition, keys: set[str]) -> dict[str, Any]:
    held = [
        (one.message.offset, canonical(one.message.key) in keys)
        for one in quarantine.of_partition(catalog.reader, partition)
        if one.recovered_by is None
    ]
    return {
        "topic": partition.topic,
        "partition": partition.partition,
        "messages": len(held),
        "of_this_row": sum(its for _, its in held),
        "first_offset": min(offset for offset, _ in held),
        "last_offset": max(offset for offset, _ in held),
    }
