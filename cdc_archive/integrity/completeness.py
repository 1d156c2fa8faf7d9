"""Whether the changes of a transaction are all here, by what its END says. Pure.

Debezium's END tells how many changes the transaction had, in all and by table. A connector may
deliver changes twice: they are counted once, by their place in the transaction. An old one that
restarts in the middle of a transaction counts from 1 again, and its END is too small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

COMPLETE: Final = "complete"
"""As many changes of each table as END tells."""
SHORT: Final = "gap"
"""Fewer, and nothing in the archive tells why."""
UNPROVABLE: Final = "unprovable"
"""Fewer, or more, and the archive tells why it cannot know."""
COUNTED_ANEW: Final = "restarted"
"""The connector restarted within it, and at least as many changes are here as END tells."""
MESSAGES: Final = "(messages)"
"""In place of a table: logical decoding messages, which END counts too."""

_JAVA_MESSAGES: Final = "LogicalDecodingMessageId"
NEAR_US: Final = 3_600_000_000
"""A change that comes later than this after its END, in the archive, is not on its way any more."""


class End(NamedTuple):
    """What END tells; `events` None: not told. `lsn` is where it stands, None without positions."""

    transaction: str
    lsn: int | None
    events: int | None
    by_table: Mapping[str, int]
    time_us: int | None
    where: str
    file: str


class Seen(NamedTuple):
    """Changes of one transaction: of each table (as the archive names it) how many places in the
    transaction, and how many different changes; whether two of them have one place.
    """

    places: Mapping[str, int]
    changes: Mapping[str, int]
    conflict: bool
    begins: int
    first_lsn: int | None


class Facts(NamedTuple):
    """What the archive knows of a table and its topics, to explain that changes are not here."""

    archived: bool = True
    damaged: bool = False
    skipped: int = 0
    quarantined: int = 0
    lost: int = 0
    begins_at: int | None = None
    ends_at: int | None = None
    unopened: tuple[int | None, int | None] = (None, None)


class Judged(NamedTuple):
    """What a transaction is found to be, and why, if it is not complete."""

    state: str
    why: str = ""


def judge(end: End, seen: Seen, facts: Mapping[str, Facts], now_us: int | None) -> Judged:
    """Compare a transaction with its END.

    Args:
        end: its END.
        seen: its changes.
        facts: of each table that END names, by that name.
        now_us: when the newest commit of the archive was made.
    """
    expected = _by_table(end)
    places, changes = _named(seen.places, expected), _named(seen.changes, expected)
    if seen.conflict:
        short = _short(expected, changes)
        if not short:
            told, here = sum(expected.values()), sum(changes.values())
            what = f"the connector restarted within it: END tells of {told}, {here} are here"
            return Judged(COUNTED_ANEW, what)
    else:
        short = _short(expected, places)
    if end.events is not None and not end.by_table and sum(places.values()) < end.events:
        short = {"": end.events - sum(places.values())}
    if short:
        return _explained(end, seen, short, expected, facts, now_us)
    total = sum(expected.values()) if end.events is None else end.events
    if sum(places.values()) > total:
        what = f"END tells of {total} changes, {sum(places.values())} are here"
        return Judged(UNPROVABLE, f"{what}: the connector may have restarted within it")
    return Judged(COMPLETE)


def _by_table(end: End) -> dict[str, int]:
    """What END tells, messages as one; Java's name of each message differs."""
    found: Counter[str] = Counter()
    for name, count in end.by_table.items():
        found[MESSAGES if _JAVA_MESSAGES in name else name] += count
    return dict(found)


def _named(seen: Mapping[str, int], expected: Mapping[str, int]) -> dict[str, int]:
    """Tables under the names that END has for them: the database's name may be left out."""
    found: Counter[str] = Counter()
    for table, count in seen.items():
        found[name_in(expected, table)] += count
    return dict(found)


def name_in(expected: Mapping[str, Any], table: str) -> str:
    """A table of the archive under the name of END, its own if it is not named."""
    for name in (table, table.partition(".")[2]):
        if name in expected:
            return name
    ending = (n for n in expected if n.endswith(f".{table}") or table.endswith(f".{n}"))
    return next(ending, table)


def _short(expected: Mapping[str, int], here: Mapping[str, int]) -> dict[str, int]:
    return {
        name: count - here.get(name, 0)
        for name, count in expected.items()
        if count > here.get(name, 0)
    }


def _explained(
    end: End,
    seen: Seen,
    short: Mapping[str, int],
    expected: Mapping[str, int],
    facts: Mapping[str, Facts],
    now_us: int | None,
) -> Judged:
    reasons = {
        name: _why(end, seen, count, facts.get(name, Facts()), now_us)
        for name, count in short.items()
    }
    if all(reasons.values()):
        told = "; ".join(f"{name or 'a table'}: {why}" for name, why in reasons.items())
        return Judged(UNPROVABLE, told)
    told = ", ".join(
        f"{name or 'the transaction'} is short by {count} of {expected.get(name, end.events)}"
        for name, count in short.items()
        if not reasons[name]
    )
    losses = sum(facts.get(name, Facts()).lost for name in short)
    return Judged(SHORT, told + (" (losses of its topic are recorded)" if losses else ""))


def _never_whole(facts: Facts, short: int) -> str:
    if not facts.archived:
        return "its topic is not in this archive"
    if facts.damaged:
        return "objects of its topic are damaged"
    if facts.skipped:
        return "the settings leave messages of its topic out"
    if facts.quarantined >= short:
        return f"{facts.quarantined} messages of its topic wait in quarantine"
    return ""


def _why(end: End, seen: Seen, short: int, facts: Facts, now_us: int | None) -> str:
    """Why the archive cannot know; empty: it should have them."""
    if why := _never_whole(facts, short):
        return why
    begin = end.lsn if seen.first_lsn is None else seen.first_lsn
    if facts.begins_at is not None and begin is not None and begin <= facts.begins_at:
        return "the archive of its topic begins later"
    if end.time_us is None:
        return ""
    before, after = facts.unopened
    if (before is not None and end.time_us - before < NEAR_US) or (
        after is not None and after - end.time_us < NEAR_US
    ):
        return "files next to the window were not opened"
    last = facts.ends_at is None or end.lsn is None or facts.ends_at <= end.lsn
    if last and now_us is not None and now_us - end.time_us < NEAR_US:
        return "its changes may still be on their way"
    return ""


class StreamResult(NamedTuple):
    """The transactions of a connector: how many are in each state, and why they are unprovable.

    `outside` counts changes that tell of no transaction.
    """

    connector: str
    states: Counter[str]
    reasons: Counter[str]
    outside: int

    @property
    def state(self) -> str:
        """The worst that can be said of it."""
        if self.states[SHORT]:
            return SHORT
        unknown = self.states[UNPROVABLE] or not self.states.total()
        return UNPROVABLE if unknown else COMPLETE

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "connector": self.connector,
            "state": self.state,
            "transactions": dict(self.states),
            "unprovable": dict(self.reasons),
            "changes_without_transaction": self.outside,
        }

    def __str__(self) -> str:
        return f"{self.connector}: {', '.join(self._told())}"

    def _told(self) -> Iterator[str]:
        yield self.state
        for state, count in sorted(self.states.items()):
            yield f"{count:,} {state}"
        for reason, count in self.reasons.most_common(5):
            yield f"{count:,} because {reason}"
        if self.outside:
            yield f"{self.outside:,} changes tell of no transaction"
