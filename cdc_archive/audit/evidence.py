"""What proves an event: where it comes from, and how far it is certain. And its id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from cdc_archive.audit.actor import ActorFound
from cdc_archive.decode.images import Row
from cdc_archive.history.position import may_have_twins
from cdc_archive.history.transition import Origin, Transition

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [two + one for one in _ALPHABET for two in _ALPHABET]
_PAIR: Final = len(_PAIRS)
_FOUR: Final = _PAIR**2
"""Python divides a long number fastest by one of less than 30 bits."""
_OF_A_MEMBER: Final = (
    "table",
    "key",
    "topic",
    "partition",
    "offset",
    "lsn",
    "total_order",
    "file",
    "commit",
    "before",
    "before_from",
    "before_doubt",
    "reconstructed_columns",
    "unknown_columns",
)


def event_id(transition: Transition, kind: str) -> str:
    """An id that is the same for the same change, delivered or replayed however often."""
    change = transition.change
    record, origin = change.archived.record, change.identity
    place = origin.hex() if origin else f"{record.topic}/{record.partition}/{record.offset}"
    if not origin and change.archived.incarnation:
        place += f"/{change.archived.incarnation}"
    if origin and record.op != "t" and may_have_twins(change):
        place += f"/{record.offset}"
    text = f"{place}\0{record.table}\0{transition.key or ''}\0{kind}"
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    number, a = divmod(number, _FOUR)
    number, b = divmod(number, _FOUR)
    number, c = divmod(number, _FOUR)
    number, d = divmod(number, _FOUR)
    number, e = divmod(number, _FOUR)
    f, two, n = number % _FOUR, _PAIRS, _PAIR
    return (
        f"audit_log-{two[a % n]}{two[a // n]}{two[b % n]}{two[b // n]}{two[c % n]}{two[c // n]}"
        f"{two[d % n]}{two[d // n]}{two[e % n]}{two[e // n]}{two[f % n]}{two[f // n]}"
    )


def of_event(event: str, kind: str, transition: Transition, found: ActorFound) -> Row:
    """The evidence of an event that one change made.

    Args:
        event: its id.
        kind: its type.
        transition: the change of a row.
        found: who made it.
    """
    archived, where = transition.change.archived, transition.change.position
    record = archived.record
    told: Row = {
        "id": event,
        "type": kind,
        "table": transition.table,
        "key": transition.key,
        "op": record.op,
        "event_time_us": record.event_time_us,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "lsn": where.lsn,
        "transaction": where.transaction,
        "total_order": where.total_order,
        "file": archived.file,
        "commit": archived.sequence,
        "before": transition.before_proof,
    }
    if transition.before_origin is not None:
        told["before_from"] = _where(transition.before_origin)
    if transition.before_doubt is not None:
        told["before_doubt"] = transition.before_doubt
    filled, unknown = transition.filled, transition.unknown_columns
    columns = {name: _where(filled[name]) for name in sorted(filled)} if filled else {}
    told["reconstructed_columns"] = columns
    told["unknown_columns"] = sorted(unknown) if unknown else []
    told |= of_actor(found)
    return told


def of_actor(found: ActorFound) -> Row:
    """The part of it that is about the actor."""
    told: Row = {
        "actor": found.status,
        "actor_reason": found.reason,
        "actor_source": found.source,
    }
    if found.origin is not None:
        told["actor_from"] = _where(found.origin)
    return told


def of_group(members: Sequence[Row], found: ActorFound) -> Row:
    """The evidence of an event that several changes of a transaction made: the first one's, with
    what is its own of each as `members`.
    """
    about = {name: value for name, value in members[0].items() if not name.startswith("actor")}
    doubts = [one["before_doubt"] for one in members if "before_doubt" in one]
    if doubts:
        about["before_doubt"] = doubts[0]
    told = [{name: one[name] for name in _OF_A_MEMBER if name in one} for one in members]
    return about | of_actor(found) | {"members": told}


def _where(origin: Origin) -> dict[str, Any]:
    return {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset}
