"""From a row's transition to audit events, each with what proves it. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from cdc_archive.audit import evidence
from cdc_archive.audit.actor import AMBIGUOUS, ActorFound, Actors, Look, pruned
from cdc_archive.audit.context import Context, NoContext
from cdc_archive.audit.evaluation import is_false
from cdc_archive.audit.expression import MISFITS
from cdc_archive.audit.functions import NOTHING_BESIDE, Functions
from cdc_archive.audit.mapping import Mapping, Rule
from cdc_archive.audit.table_names import fits_any
from cdc_archive.decode.images import Row
from cdc_archive.history.transition import EVERY_COLUMN, KEY_ONLY, UNKNOWN, Transition

_NOTHING: Final[frozenset[str]] = frozenset()
_AN: Final = {"create": "a create", "update": "an update", "delete": "a delete"}


@dataclass(frozen=True)
class AuditEvent:
    """An audit-log entry, and beside it where it comes from and how far it is proven."""

    event: Row
    evidence: Row


class Unproven(NamedTuple):
    """A rule that may or may not have fired: the archive does not hold what would tell.

    `resource`: what the event would be about; None: not known either.
    """

    type: str
    reason: str
    resource: str | None = None


class Part(NamedTuple):
    """What one row contributes to the event of its transaction; `Builder.together` joins them.

    `rule` is the rule's index in the mapping. `event` is what the event would be without payload if
    this were its only row, `values` what the payload's expression sees of the row, `actor` and
    `evidence` what is known of it.
    """

    rule: int
    type: str
    item: Any
    transition: Transition
    event: Row
    values: Row
    actor: ActorFound
    evidence: Row


class No(NamedTuple):
    """A rule that did not fire, and why: most do not, and few are asked."""

    told: str
    about: Sequence[str] = ()

    @property
    def reason(self) -> str:
        """The reason in words."""
        return self.told.format(", ".join(self.about))


class _Placed(NamedTuple):
    """A rule with its number in the file, counted from 0, the lists of columns of which one must
    have changed, and whether it may look at `changed`.
    """

    number: int
    rule: Rule
    watched: Sequence[Sequence[str]]
    sees_changed: bool

    @classmethod
    def of(cls, number: int, rule: Rule) -> _Placed:
        lists = (rule.changed, [name for one in rule.changes for name in one.columns])
        sees_changed = any(one.may_see("changed") for one in rule.expressions())
        return cls(number, rule, [names for names in lists if names], sees_changed)

    def may_fire(self, changed: frozenset[str]) -> bool:
        """Whether it may, if these columns changed and no others."""
        return not any(map(changed.isdisjoint, self.watched))


class Verdict(NamedTuple):
    """What a rule makes of a transition. `number` counts the rules of the file from 1."""

    number: int
    type: str
    outcome: Literal["event", "part", "unproven", "no"]
    reason: str
    made: AuditEvent | Part | None = None


class Builder:
    """Applies a mapping.

    Args:
        mapping: the rules.
        context: what the rest of the archive says of a change.
    """

    def __init__(self, mapping: Mapping, context: Context | None = None) -> None:
        self._mapping = mapping
        self._context = context or NoContext()
        self._actors = Actors(mapping.actor, self._context)
        self._rules: dict[str, list[_Placed]] = {}
        self._by_op: dict[tuple[str, str], list[_Placed]] = {}

    def rules_for(self, table: str) -> list[Rule]:
        """The rules of a table, by the end of its name."""
        return [placed.rule for placed in self._of_table(table)]

    def _of_table(self, table: str) -> list[_Placed]:
        known = self._rules.get(table)
        if known is None:
            known = self._rules[table] = [
                _Placed.of(number, rule)
                for number, rule in enumerate(self._mapping.rule)
                if fits_any(table, rule.tables)
            ]
        return known

    def build(self, transition: Transition) -> list[AuditEvent | Unproven | Part]:
        """The events of a transition, in the order of the mapping; parts of those that group."""
        where = (transition.table, transition.op)
        rules = self._by_op.get(where)
        if rules is None:
            table = self._of_table(transition.table)
            rules = self._by_op[where] = [one for one in table if one.rule.on == transition.op]
        if rules and transition.before_proof not in (UNKNOWN, KEY_ONLY) and not transition.doubtful:
            changed = transition.changed or _NOTHING
            rules = [one for one in rules if one.may_fire(changed)]
        if not rules:
            return []
        judged = _Judged(transition, self._actors, self._context)
        made = map(judged.by, rules)
        return [one for one in made if not isinstance(one, No)]

    def explain(self, transition: Transition) -> list[Verdict]:
        """What every rule of the transition's table makes of it, and why."""
        judged = _Judged(transition, self._actors, self._context)
        return [
            _verdict(placed.number, placed.rule, judged.by(placed))
            for placed in self._of_table(transition.table)
        ]

    def looks(self, transition: Transition) -> list[Look]:
        """What the actor sources give for a transition, up to the one that decides."""
        functions = Functions(self._context, transition.change)
        values = {**_values(transition), "changed": _changed(transition)}
        return [*self._actors.looks(transition, values, functions)]

    def together(self, parts: Sequence[Part]) -> AuditEvent | Unproven:
        """The one event of all parts of a rule and transaction, in the order of their changes.

        Its id, time and project are those of the first.
        """
        first = parts[0]
        rule = self._mapping.rule[first.rule]
        assert rule.payload is not None
        values = first.values | {"items": [part.item for part in parts]}
        try:
            payload = pruned(rule.payload.of(values, NOTHING_BESIDE))
        except MISFITS as error:
            return _misfit(rule, error)
        if not isinstance(payload, dict):
            return Unproven(rule.type, "the payload is no object")
        found = _actor_of(parts)
        event = first.event | {"actor": found.actor, rule.type: payload}
        return AuditEvent(event, evidence.of_group([part.evidence for part in parts], found))


class _Judged:
    """A transition before the rules: what they see of it is made once."""

    def __init__(self, transition: Transition, actors: Actors, context: Context) -> None:
        self._transition = transition
        self._actors = actors
        self._functions = Functions(context, transition.change)
        self._values = _values(transition)
        self._changed = transition.changed or _NOTHING
        self._found: ActorFound | None = None
        self._named: tuple[Rule | None, Any] = None, None

    def by(self, placed: _Placed) -> AuditEvent | Unproven | Part | No:
        """What a rule makes of it."""
        rule = placed.rule
        if (placed.sees_changed or self._actors.see_changed) and "changed" not in self._values:
            self._values["changed"] = _changed(self._transition)
        try:
            made = self._refused(placed) or self._made(placed.number, rule)
        except MISFITS as error:  # its text may hold the whole row, and reasons are counted
            made = _misfit(rule, error)
        return made._replace(resource=self._about(rule)) if isinstance(made, Unproven) else made

    def _about(self, rule: Rule) -> str | None:
        """The id that an event which cannot be proven would have told."""
        try:
            found = self._id(rule)
        except MISFITS:
            return None
        return None if found is None else str(found)

    def _id(self, rule: Rule) -> Any:
        if self._named[0] is not rule:
            found = None if rule.id is None else rule.id.of(self._values, self._functions)
            self._named = rule, found
        return self._named[1]

    def _refused(self, placed: _Placed) -> Unproven | No | None:
        transition, changed, rule = self._transition, self._changed, placed.rule
        if rule.on != transition.op:
            return No(f"on is {rule.on}, this is {_AN[transition.op]}")
        if transition.before_proof in (UNKNOWN, KEY_ONLY) and self._depends(rule):
            return Unproven(rule.type, "the row's version before this change is not in the archive")
        for names in placed.watched:
            if changed.isdisjoint(names):
                return self._unchanged(rule, names)
        if rule.when is not None and is_false(rule.when.of(self._values, self._functions)):
            return No("when is not true")
        return None

    def _depends(self, rule: Rule) -> bool:
        """Whether it takes a version before to tell if a rule fires."""
        transition = self._transition
        if transition.op == "update":
            return rule.is_conditional or bool(rule.needs)
        # A table that does not have a column needs no version to say what was in it.
        has = transition.doubtful
        untold = transition.before_proof == UNKNOWN or has == EVERY_COLUMN
        return bool(rule.needs) and (untold or not has.isdisjoint(rule.needs))

    def _unchanged(self, rule: Rule, names: Sequence[str]) -> Unproven | No:
        doubtful = self._transition.doubtful
        if doubtful and (untold := sorted(doubtful.intersection(names))):
            told = ", ".join(untold)
            return Unproven(rule.type, f"{told}: what it was before is not in the archive")
        return No("none of the columns {} changed", names)

    def _made(self, number: int, rule: Rule) -> AuditEvent | Unproven | Part | No:
        values = self._values
        found = self._id(rule)
        if rule.id is not None and found is None:
            return Unproven(rule.type, "the id of the row is not known")
        values = {**values, "id": found}
        if rule.item is not None:
            item = pruned(rule.item.of(values, self._functions))
            if item is None:
                return Unproven(rule.type, "the item of the row is not known")
            return self._part(number, rule, item, values)
        payload = self._payload(rule, values)
        if not isinstance(payload, dict):
            return No("the payload is no object")
        event = self._event(rule, values)
        event[rule.type] = payload
        return AuditEvent(event, self._evidence(event["id"], rule))

    def _payload(self, rule: Rule, values: Row) -> Any:
        payload: Any = {"id": values["id"]}
        if rule.payload is not None:
            payload = rule.payload.of(values, self._functions)
        if rule.changes:
            payload = {**payload, "changes_requested": self._requested(rule, values)}
        return pruned(payload)

    def _requested(self, rule: Rule, values: Row) -> Row:
        requested = {}
        for field in rule.changes:
            for column in field.columns:
                if column in self._changed:
                    requested[field.field] = (
                        values["row"].get(column)
                        if field.value is None
                        else field.value.of(values, self._functions)
                    )
                    break
        return requested

    def _part(self, number: int, rule: Rule, item: Any, values: Row) -> Part:
        event = self._event(rule, values)
        return Part(
            number,
            rule.type,
            item,
            self._transition,
            event,
            values,
            self._actor(),
            self._evidence(event["id"], rule),
        )

    def _event(self, rule: Rule, values: Row) -> Row:
        transition = self._transition
        event: Row = {
            "id": evidence.event_id(transition, rule.type),
            "object": "organization.audit_log",
            "type": rule.type,
            "effective_at": (transition.change.archived.record.event_time_us or 0) // 1_000_000,
        }
        if rule.project is not None:
            project = pruned(rule.project.of(values, self._functions))
            if project and project.get("id") is not None:
                event["project"] = project
        event["actor"] = self._actor().actor
        return event

    def _actor(self) -> ActorFound:
        if self._found is None:
            self._found = self._actors.find(self._transition, self._values, self._functions)
        return self._found

    def _evidence(self, event: str, rule: Rule) -> Row:
        return evidence.of_event(event, rule.type, self._transition, self._actor())


def _values(transition: Transition) -> Row:
    """What expressions see of it, but for `changed`, which few look at."""
    return {
        "op": transition.op,
        "table": transition.table,
        "key": transition.key,
        "before": transition.before,
        "after": transition.after,
        "row": transition.row,
    }


def _changed(transition: Transition) -> Row:
    row = transition.row
    return {name: row.get(name) for name in sorted(transition.changed or ())}


def _misfit(rule: Rule, error: Exception) -> Unproven:
    return Unproven(rule.type, f"the mapping does not fit this row: {type(error).__name__}")


def _actor_of(parts: Sequence[Part]) -> ActorFound:
    """Who made a transaction, as its rows tell it: the rows that do not know do not count."""
    known = [part.actor for part in parts if part.actor.actor is not None]
    if any(found.actor != known[0].actor for found in known):
        return ActorFound(None, AMBIGUOUS, "the rows of the transaction name different actors")
    return known[0] if known else parts[0].actor


def _verdict(number: int, rule: Rule, made: AuditEvent | Unproven | Part | No) -> Verdict:
    if isinstance(made, No):
        return Verdict(number + 1, rule.type, "no", made.reason)
    if isinstance(made, Unproven):
        return Verdict(number + 1, rule.type, "unproven", made.reason)
    if isinstance(made, Part):
        told = "one of the rows that make the event of their transaction"
        return Verdict(number + 1, rule.type, "part", told, made)
    return Verdict(number + 1, rule.type, "event", "it fires", made)
