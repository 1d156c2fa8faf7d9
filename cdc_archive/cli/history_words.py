"""What the forms of a history have in common: operations, people, places and losses in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from cdc_archive.archive.reader.window import Window
from cdc_archive.audit.actor import MISSING, NO_COLUMN
from cdc_archive.cli import moments
from cdc_archive.cli.output import json_text
from cdc_archive.history.difference import Shown
from cdc_archive.history.position import Change
from cdc_archive.history.row_version import ENDS, STATES, RowVersion
from cdc_archive.history.transition import (
    EXACT,
    KEY_ONLY,
    NOT_APPLICABLE,
    RECONSTRUCTED,
    UNKNOWN,
    Origin,
    Proof,
)
from cdc_archive.replay.row_history import LifeStory, RowHistory, Told

OPS: Final = {
    "key_change": "key change",
    "snapshot": "snapshot (a state, not a change)",
    "state": "row (a state: its message tells no operation)",
}
_PROOFS: Final[tuple[Proof, ...]] = (EXACT, RECONSTRUCTED, KEY_ONLY, UNKNOWN)
_CLOCKS: Final = {"envelope": "the connector's clock", "kafka": "Kafka's clock"}


def operation(version: RowVersion) -> str:
    """The operation; a key change with both keys."""
    told = OPS.get(version.op, version.op)
    return f"{told} {version.old_key} -> {version.key}" if version.old_key else told


def when(version: RowVersion) -> str:
    """The event time, and whose clock it is if it is not the database's."""
    clock = _CLOCKS.get(version.change.archived.record.hour_source)
    return moments.text(version.time_us) + (f" ({clock})" if clock else "")


def transaction(version: RowVersion) -> str | None:
    """The transaction and the change's number in it; a state has none."""
    where = version.change.position
    if where.transaction is None or version.op in STATES:
        return None
    order = "" if where.total_order is None else f", change {where.total_order}"
    return f"transaction {where.transaction}{order}"


def place(change: Change) -> str:
    """Topic, partition, offset, LSN, commit."""
    record, archived = change.archived.record, change.archived
    told = f"{record.topic}[{record.partition}] offset {record.offset}"
    if archived.incarnation:
        told += f", incarnation {archived.incarnation}"
    if change.position.lsn is not None:
        told += f", LSN {lsn(change.position.lsn)}"
    return f"{told}, commit {archived.sequence}"


def lsn(number: int) -> str:
    """A log sequence number as PostgreSQL's tools write it, and as the messages do."""
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X} ({number})" if number >= 0 else str(number)


def who(told: Told) -> str | None:
    """The actor and how far that is proven, or why there is none; None for a state."""
    found = told.actor
    if found is None:
        return None
    if found.actor is None:
        reasons = [look.reason for look in told.looks if look.status == found.status != MISSING]
        return f"no actor ({': '.join((found.status, *reasons[:1]))})"
    there = found.origin
    origin = "" if there is None else f", {there.topic}[{there.partition}] offset {there.offset}"
    return f"by {_actor(found.actor)} ({found.status}: {found.reason}{origin})"


def looked_for(history: RowHistory) -> str | None:
    """Where actors were looked for in vain; None if no version lacks one for that reason."""
    places = dict.fromkeys(
        look.place
        for story in history.lives
        for told in story.told
        if told.actor is not None and told.actor.status == MISSING
        for look in told.looks
        if look.place != NO_COLUMN
    )
    return f"no actor was found in: {'; '.join(places)}" if places else None


def _actor(actor: dict[str, Any]) -> str:
    kind = actor.get("type")
    body = actor.get(kind) if isinstance(kind, str) else None
    if not isinstance(body, dict):
        return json_text(actor)
    owner = body.get("user") or body.get("service_account")
    owner = owner if isinstance(owner, dict) else {}
    names = (body.get("id"), owner.get("id"), owner.get("email"), body.get("ip_address"))
    told = [
        name if isinstance(name, str) else json_text(name) for name in names if name is not None
    ]
    return " ".join((str(kind), *told)) if told else json_text(actor)


def proof(shown: Shown, version: RowVersion) -> str:
    """What shows an old value; the offset alone if it is of the same topic partition."""
    if shown.proof != RECONSTRUCTED:
        return {EXACT: "exact", UNKNOWN: "unknown"}.get(shown.proof, "")
    return f"reconstructed: {origin(shown.origin, version.change)}"


def origin(where: Origin | None, beside: Change) -> str:
    """Where a value was taken from."""
    if where is None:
        return "an earlier version"
    record = beside.archived.record
    near = (record.topic, record.partition) == (where.topic, where.partition)
    there = "" if near else f"{where.topic}[{where.partition}] "
    again = f", incarnation {where.incarnation}" if where.incarnation else ""
    return f"{there}offset {where.offset}{again}"


def window(asked: Window) -> str:
    """The window in words."""
    start = "the beginning" if asked.start_us is None else moments.text(asked.start_us)
    end = "the end" if asked.end_us is None else moments.text(asked.end_us)
    return f"from {start} to {end}"


def beginning(story: LifeStory) -> str:
    """From where on a life is known."""
    first = story.first
    if first.op == "create":
        return f"created {when(first)}"
    by = _a(OPS.get(first.op, first.op))
    return f"first seen by {by} {when(first)}: what was before is not in the archive"


def ending(story: LifeStory) -> str:
    """Where a life ends, or that it was not seen to."""
    if story.life.overtaken is not None:
        time_us = story.life.overtaken.archived.record.event_time_us
        return f"not seen to end, but gone {moments.text(time_us)}: another row took its key"
    if story.last.op not in ENDS:
        return "not seen to end"
    how = "deleted" if story.last.op == "delete" else "gone by TRUNCATE"
    return f"{how} {when(story.last)}"


def life(story: LifeStory) -> str:
    """From where to where a life is known."""
    return f"{beginning(story)}; {ending(story)}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def proven(history: RowHistory) -> str:
    """How many versions there are and how far their old values are proven."""
    told = [one.version for story in history.lives for one in story.told]
    proofs = Counter(one.before_proof for one in told if one.op not in STATES)
    states, created = sum(one.op in STATES for one in told), proofs.pop(NOT_APPLICABLE, 0)
    names = {EXACT: "exact", RECONSTRUCTED: "reconstructed", KEY_ONLY: "only its key"}
    how = ", ".join(
        f"{proofs[name]} {names.get(name, UNKNOWN)}" for name in _PROOFS if proofs[name]
    )
    parts = [_count(created, "creation")] if created else []
    parts += [f"{_count(proofs.total(), 'change')} (version before: {how})"] if how else []
    parts += [_count(states, "state")] if states else []
    return ": ".join((_count(len(told), "version"), ", ".join(parts))) if parts else "no version"


def outside(history: RowHistory) -> Iterator[str]:
    """What the window leaves out."""
    for name, text in (("earlier", "before the window"), ("later", "after it")):
        count = sum(getattr(story, name) for story in history.lives)
        if count:
            yield f"{_count(count, 'version')} {text}"
    untimed = sum(story.untimed for story in history.lives)
    if untimed:
        yield f"{untimed} that tell no time"


def losses(history: RowHistory) -> Iterator[str]:
    """Each known loss that could concern the row, in a sentence."""
    known = history.losses
    for gap in known.gaps:
        what = (
            f"offsets [{gap['from']}, {gap['to']})"
            if gap["from"] != gap["to"]
            else f"an unknown number of messages at offset {gap['from']}"
        )
        yield (
            f"{gap['topic']}[{gap['partition']}]: {what} were lost: {gap['reason']} "
            f"({gap['kind']}; accepted by {gap['accepted_by']}) {gap['detail']}"
        ).rstrip()
    for held in known.quarantined:
        own = held["of_this_row"]
        messages = _count(held["messages"], "message")
        yield (
            f"{held['topic']}[{held['partition']}]: {messages} in quarantine, "
            f"offsets {held['first_offset']} to {held['last_offset']}; "
            + (f"{own} with a key of this row" if own else "none with a key of this row")
        )
    for count, text in (
        (known.skipped, "of these topics left out by decode.skip_topics"),
        (known.unreadable, "of this row hold a row that cannot be read"),
        (known.keyless, "of this table bear no key: not looked at"),
    ):
        if count:
            yield f"{_count(count, 'message')} {text}"


def remarks(history: RowHistory) -> Iterator[str]:
    """What is no loss, or need not be one."""
    known = history.losses
    if known.redeliveries:
        yield f"{_count(known.redeliveries, 'message')} came twice and were dropped"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
