"""From a row's transition to audit events, each with what proves it. Pure and deterministic."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import jmespath

from cdc_archive.audit import actor
from cdc_archive.audit.actor import pruned
from cdc_archive.audit.mapping import Mapping, Rule
from cdc_archive.decode.images import Row
from cdc_archive.history.position import identity
from cdc_archive.history.transition import KEY_ONLY, UNKNOWN, Transition

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_CHARS: Final = 24
_MISFITS: Final = (
    jmespath.exceptions.JMESPathError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


@dataclass(frozen=True)
class AuditEvent:
    """An audit-log entry, and beside it where it comes from and how far it is proven."""

    event: Row
    evidence: Row


class Unproven(NamedTuple):
    """A rule that may or may not have fired: the archive does not hold what would tell."""

    type: str
    reason: str


class Builder:
    """Applies a mapping.

    Args:
        mapping: the rules.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._rules: dict[str, list[Rule]] = {}

    def rules_for(self, table: str) -> list[Rule]:
        """The rules of a table, by the end of its name."""
        known = self._rules.get(table)
        if known is None:
            known = self._rules[table] = [
                rule for rule in self._mapping.rule if any(_ends(table, end) for end in rule.tables)
            ]
        return known

    def build(self, transition: Transition) -> list[AuditEvent | Unproven]:
        """The events of a transition, in the order of the mapping."""
        out: list[AuditEvent | Unproven] = []
        for rule in self.rules_for(transition.table):
            if rule.on != transition.op:
                continue
            try:
                made = self._apply(rule, transition)
            except _MISFITS as error:  # its text may hold the whole row, and reasons are counted
                reason = f"the mapping does not fit this row: {type(error).__name__}"
                made = Unproven(rule.type, reason)
            if made is not None:
                out.append(made)
        return out

    def _apply(self, rule: Rule, transition: Transition) -> AuditEvent | Unproven | None:
        depends = rule.needs or (transition.op == "update" and _is_conditional(rule))
        if depends and transition.before_proof in (UNKNOWN, KEY_ONLY):
            return Unproven(rule.type, "the row's version before this change is not in the archive")
        values = _values(transition)
        changed = transition.changed or frozenset()
        if rule.changed and not changed.intersection(rule.changed):
            return None
        if rule.when is not None and not _true(rule.when.search(values)):
            return None
        values["id"] = rule.id.search(values)
        if values["id"] is None:
            return Unproven(rule.type, "the id of the row is not known")
        payload = _payload(rule, values, changed)
        if payload is None:
            return None
        return self._event(rule, transition, values, payload)

    def _event(self, rule: Rule, transition: Transition, values: Row, payload: Row) -> AuditEvent:
        found = actor.find(transition, self._mapping.actor)
        project = None if rule.project is None else pruned(rule.project.search(values))
        event: Row = {
            "id": event_id(transition, rule.type),
            "object": "organization.audit_log",
            "type": rule.type,
            "effective_at": (transition.change.archived.record.event_time_us or 0) // 1_000_000,
        }
        if project and project.get("id") is not None:
            event["project"] = project
        event["actor"] = found.actor
        event[rule.type] = payload
        return AuditEvent(event, _evidence(event["id"], rule, transition, found))


def _values(transition: Transition) -> Row:
    row = transition.row
    return {
        "op": transition.op,
        "table": transition.table,
        "key": transition.key,
        "before": transition.before,
        "after": transition.after,
        "row": row,
        "changed": {name: row.get(name) for name in sorted(transition.changed or ())},
    }


def _payload(rule: Rule, values: Row, changed: frozenset[str]) -> Row | None:
    payload: Row = {"id": values["id"]}
    if rule.payload is not None:
        payload = rule.payload.search(values)
    if rule.changes:
        requested = {}
        for field in rule.changes:
            column = next((name for name in field.columns if name in changed), None)
            if column is None:
                continue
            value = values["row"].get(column) if field.value is None else field.value.search(values)
            if value is not None:
                requested[field.field] = value
        if not changed.intersection(name for field in rule.changes for name in field.columns):
            return None
        payload = {**payload, "changes_requested": requested}
    made = pruned(payload)
    return made if isinstance(made, dict) else None


def _is_conditional(rule: Rule) -> bool:
    return bool(rule.changed or rule.changes or rule.when is not None)


def _true(value: Any) -> bool:
    """JMESPath's idea of truth: false, null and empty values are not true, zero is."""
    return not (value is None or value is False or value in ("", [], {}))


def _ends(table: str, pattern: str) -> bool:
    """Whether the last parts of a table's name are the pattern: `api_key` fits `db.app.api_key`."""
    parts = table.split(".")
    wanted = pattern.count(".") + 1
    return fnmatchcase(".".join(parts[-wanted:]), pattern)


def event_id(transition: Transition, kind: str) -> str:
    """An id that is the same for the same change, delivered or replayed however often."""
    archived = transition.change.archived
    record = archived.record
    origin = identity(transition.change)
    place = origin.hex() if origin else f"{record.topic}/{record.partition}/{record.offset}"
    if not origin and archived.incarnation:
        place += f"/{archived.incarnation}"
    text = "\0".join((place, record.table, transition.key or "", kind))
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    chars = []
    for _ in range(_ID_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        chars.append(_ALPHABET[digit])
    return "audit_log-" + "".join(chars)


def _evidence(event: str, rule: Rule, transition: Transition, found: actor.ActorFound) -> Row:
    archived, where = transition.change.archived, transition.change.position
    return {
        "id": event,
        "type": rule.type,
        "table": transition.table,
        "key": transition.key,
        "op": archived.record.op,
        "event_time_us": archived.record.event_time_us,
        "topic": archived.record.topic,
        "partition": archived.record.partition,
        "offset": archived.record.offset,
        "lsn": where.lsn,
        "transaction": where.transaction,
        "total_order": where.total_order,
        "file": archived.file,
        "commit": archived.sequence,
        "before": transition.before_proof,
        "unknown_columns": sorted(transition.unknown_columns),
        "actor": found.status,
        "actor_reason": found.reason,
    }
