"""What the chains tell of each topic that may explain why changes are not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdc_archive.archive.format.commit import Commit, FileEntry
from cdc_archive.integrity.completeness import MESSAGES, Facts, name_in


@dataclass
class _Topic:
    skipped: int = 0
    quarantined: int = 0
    lost: int = 0
    late: bool = False
    damaged: bool = False
    before: int | None = None
    after: int | None = None


@dataclass
class TopicFacts:
    """Takes note of commits, and tells of tables."""

    _topics: dict[str, _Topic] = field(default_factory=dict)

    def take(self, commit: Commit) -> None:
        """A commit that is sound."""
        topic = self._topics.setdefault(commit.topic, _Topic())
        topic.skipped += sum(one.count for one in commit.skipped)
        topic.lost += len(commit.gaps)
        if commit.sequence == 0:
            topic.late = topic.late or commit.start > 0 or bool(commit.gaps)

    def wait(self, topic: str, messages: int) -> None:
        """Messages of a topic wait in quarantine."""
        self._topics.setdefault(topic, _Topic()).quarantined += messages

    def damage(self, topic: str) -> None:
        """Objects of a topic are damaged."""
        self._topics.setdefault(topic, _Topic()).damaged = True

    def leave(self, topic: str, file: FileEntry, start_us: int | None) -> None:
        """A file outside of the window is not opened."""
        found = self._topics.setdefault(topic, _Topic())
        low, high = file.min_event_time_us, file.max_event_time_us
        if low is None or high is None:
            return
        if start_us is not None and high < start_us:
            found.before = high if found.before is None else max(high, found.before)
        else:
            found.after = low if found.after is None else min(low, found.after)

    def why_no_end(self, topic: str) -> str:
        """Why an END may not be here; empty: it should be."""
        found = self._topics.get(topic)
        if found is None:
            return "the topic of transactions is not in this archive"
        if found.damaged:
            return "objects of the topic of transactions are damaged"
        if found.skipped or found.quarantined or found.late:
            return "the archive does not hold all of the topic of transactions"
        return ""

    def of(
        self, connector: str, name: str, tables: Mapping[str, tuple[set[str], int, int]]
    ) -> Facts:
        """What is known of a table.

        Args:
            connector: whose it is.
            name: as END names it.
            tables: the tables of which there are changes: topics, first and last LSN.
        """
        found = [known for table, known in tables.items() if name_in({name: 0}, table) == name]
        topics = {topic for known in found for topic in known[0]}
        guessed = f"{connector}.{'message' if name == MESSAGES else name}"
        known = [self._topics[one] for one in {*topics, guessed} if one in self._topics]
        if not known:
            return Facts(archived=False)
        low = min((first for _, first, _ in found), default=None)
        befores = [one.before for one in known if one.before is not None]
        afters = [one.after for one in known if one.after is not None]
        return Facts(
            damaged=any(one.damaged for one in known),
            skipped=sum(one.skipped for one in known),
            quarantined=sum(one.quarantined for one in known),
            lost=sum(one.lost for one in known),
            begins_at=low if any(one.late for one in known) else None,
            ends_at=max((last for _, _, last in found), default=None),
            unopened=(max(befores, default=None), min(afters, default=None)),
        )
