"""From a row's transition to audit events, each with what proves it. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from cdc_archive.audit import evidence
from cdc_archive.audit.actor import AMBIGUOUS, ActorFound, Actors, Look, pruned
from cdc_archive.audit.context import Context, NoContext
from cdc_archive.audit.evaluation import is_false
from cdc_archive.audit.expression import MISFITS
from cdc_archive.audit.functions import NOTHING_BESIDE, Functions
from cdc_archive.audit.mapping import Mapping, Rule
from cdc_archive.audit.rules import UNCERTAIN, Placed, Rules
from cdc_archive.decode.images import Row
from cdc_archive.history.transition import EVERY_COLUMN, UNKNOWN, Transition

_NOTHING: Final[frozenset[str]] = frozenset()
_AN: Final = {"create": "a create", "update": "an update", "delete": "a delete"}


class AuditEvent(NamedTuple):
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


_NOT_TRUE: Final = No("when is not true")
_NO_OBJECT: Final = No("the payload is no object")


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
        self._rules = Rules(mapping.rule, sees_changed=self._actors.see_changed)

    def knows(self, table: str) -> bool:
        """Whether it has rules for a table."""
        return bool(self._rules.of_table(table))

    def rules_for(self, table: str) -> list[Rule]:
        """The rules of a table, by the end of its name."""
        return [self._mapping.rule[one.number] for one in self._rules.of_table(table)]

    def build(self, transition: Transition) -> list[AuditEvent | Unproven | Part]:
        """The events of a transition, in the order of the mapping; parts of those that group."""
        rules = self._rules.that_may_fire(transition)
        if not rules:
            return []
        judged = _Judged(transition, self._actors, self._context)
        made = map(judged.by, rules)
        return [one for one in made if not isinstance(one, No)]

    def explain(self, transition: Transition) -> list[Verdict]:
        """What every rule of the transition's table makes of it, and why."""
        judged = _Judged(transition, self._actors, self._context)
        return [_verdict(rule, judged.by(rule)) for rule in self._rules.of_table(transition.table)]

    def looks(self, transition: Transition) -> list[Look]:
        """What the actor sources give for a transition, up to the one that decides."""
        functions = Functions(self._context, transition.change)
        values = {**_values(transition), "changed": _changed(transition)}
        return self._actors.looks(transition, values, functions)

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
            return _misfit(rule.type, error)
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
        self._named: tuple[Placed | None, Any] = None, None

    def by(self, rule: Placed) -> AuditEvent | Unproven | Part | No:
        """What a rule makes of it."""
        if rule.sees_changed and "changed" not in self._values:
            self._values["changed"] = _changed(self._transition)
        try:
            made = self._refused(rule) or self._made(rule)
        except MISFITS as error:  # its text may hold the whole row, and reasons are counted
            made = _misfit(rule.type, error)
        return made._replace(resource=self._about(rule)) if isinstance(made, Unproven) else made

    def _about(self, rule: Placed) -> str | None:
        """The id that an event which cannot be proven would have told."""
        try:
            found = self._id(rule)
        except MISFITS:
            return None
        return None if found is None else str(found)

    def _id(self, rule: Placed) -> Any:
        if self._named[0] is not rule:
            found = None if rule.id is None else rule.id(self._values, self._functions)
            self._named = rule, found
        return self._named[1]

    def _refused(self, rule: Placed) -> Unproven | No | None:
        transition, changed = self._transition, self._changed
        if rule.on != transition.op:
            return No(f"on is {rule.on}, this is {_AN[transition.op]}")
        if transition.before_proof in UNCERTAIN and self._depends(rule):
            return Unproven(rule.type, "the row's version before this change is not in the archive")
        for names in rule.watched:
            if changed.isdisjoint(names):
                return self._unchanged(rule, names)
        if rule.when is None:
            return None
        found = rule.when(self._values, self._functions)
        return None if found or not is_false(found) else _NOT_TRUE

    def _depends(self, rule: Placed) -> bool:
        """Whether it takes a version before to tell if a rule fires."""
        transition = self._transition
        if transition.op == "update":
            return rule.is_conditional or bool(rule.needs)
        # A table that does not have a column needs no version to say what was in it.
        has = transition.doubtful
        untold = transition.before_proof == UNKNOWN or has == EVERY_COLUMN
        return bool(rule.needs) and (untold or not has.isdisjoint(rule.needs))

    def _unchanged(self, rule: Placed, names: Sequence[str]) -> Unproven | No:
        doubtful = self._transition.doubtful
        if doubtful and (untold := sorted(doubtful.intersection(names))):
            told = ", ".join(untold)
            return Unproven(rule.type, f"{told}: what it was before is not in the archive")
        return No("none of the columns {} changed", names)

    def _made(self, rule: Placed) -> AuditEvent | Unproven | Part | No:
        transition = self._transition
        named = self._id(rule)
        if named is None and rule.id is not None:
            return Unproven(rule.type, "the id of the row is not known")
        values = {**self._values, "id": named}
        item = payload = None
        if rule.item is not None:
            item = pruned(rule.item(values, self._functions))
            if item is None:
                return Unproven(rule.type, "the item of the row is not known")
        else:
            payload = self._payload(rule, values)
            if not isinstance(payload, dict):
                return _NO_OBJECT
        actor = self._actor()
        event = self._event(rule, values, actor)
        about = evidence.of_event(event["id"], rule.type, transition, actor)
        if payload is None:
            number = rule.number
            return Part(number, rule.type, item, transition, event, values, actor, about)
        event[rule.type] = payload
        return AuditEvent(event, about)

    def _payload(self, rule: Placed, values: Row) -> Any:
        if rule.payload is None:
            payload: Any = {"id": values["id"]}
        else:
            payload = rule.payload(values, self._functions)
        if rule.changes:
            payload = {**payload, "changes_requested": self._requested(rule, values)}
        return pruned(payload)

    def _requested(self, rule: Placed, values: Row) -> Row:
        requested = {}
        for field in rule.changes:
            for column in field.columns:
                if column in self._changed:
                    requested[field.field] = (
                        values["row"].get(column)
                        if field.value is None
                        else field.value(values, self._functions)
                    )
                    break
        return requested

    def _event(self, rule: Placed, values: Row, actor: ActorFound) -> Row:
        transition = self._transition
        event: Row = {
            "id": evidence.event_id(transition, rule.type),
            "object": "organization.audit_log",
            "type": rule.type,
            "effective_at": (transition.change.archived.record.event_time_us or 0) // 1_000_000,
        }
        if rule.project is not None:
            project = pruned(rule.project(values, self._functions))
            if project and project.get("id") is not None:
                event["project"] = project
        event["actor"] = actor.actor
        return event

    def _actor(self) -> ActorFound:
        if self._found is None:
            self._found = self._actors.find(self._transition, self._values, self._functions)
        return self._found


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


def _misfit(kind: str, error: Exception) -> Unproven:
    return Unproven(kind, f"the mapping does not fit this row: {type(error).__name__}")


def _actor_of(parts: Sequence[Part]) -> ActorFound:
    """Who made a transaction, as its rows tell it: the rows that do not know do not count."""
    known = [part.actor for part in parts if part.actor.actor is not None]
    if any(found.actor != known[0].actor for found in known):
        return ActorFound(None, AMBIGUOUS, "the rows of the transaction name different actors")
    return known[0] if known else parts[0].actor


def _verdict(rule: Placed, made: AuditEvent | Unproven | Part | No) -> Verdict:
    if isinstance(made, No):
        return Verdict(rule.number + 1, rule.type, "no", made.reason)
    if isinstance(made, Unproven):
        return Verdict(rule.number + 1, rule.type, "unproven", made.reason)
    if isinstance(made, Part):
        told = "one of the rows that make the event of their transaction"
        return Verdict(rule.number + 1, rule.type, "part", told, made)
    return Verdict(rule.number + 1, rule.type, "event", "it fires", made)
