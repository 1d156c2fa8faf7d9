"""The rules of a mapping as they are applied: which may fire on a row's step. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cdc_archive.audit.evaluation import Evaluate
from cdc_archive.audit.expression import Expression
from cdc_archive.audit.mapping import Rule
from cdc_archive.audit.table_names import fits_any
from cdc_archive.history.transition import KEY_ONLY, UNKNOWN, Transition

UNCERTAIN: Final = frozenset({UNKNOWN, KEY_ONLY})
"""Proofs of a version before that do not tell which columns changed."""
_NOTHING: Final[frozenset[str]] = frozenset()
_MOST_KNOWN: Final = 4096


class Requested(NamedTuple):
    """A field of `changes_requested`; `value` None: what the column holds."""

    field: str
    columns: Sequence[str]
    value: Evaluate | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule with its number in the file, counted from 0, and its expressions as functions.

    `watched` are the lists of columns of which one must have changed; `sees_changed` is whether
    what it is told by may look at `changed`.
    """

    number: int
    type: str
    on: str
    needs: Sequence[str]
    is_conditional: bool
    watched: Sequence[Sequence[str]]
    sees_changed: bool
    when: Evaluate | None
    id: Evaluate | None
    item: Evaluate | None
    payload: Evaluate | None
    changes: Sequence[Requested]
    project: Evaluate | None

    @classmethod
    def of(cls, number: int, rule: Rule, *, sees_changed: bool) -> Placed:
        """A rule of the file; `sees_changed`: what tells the actor may look at it anyway."""
        lists = (rule.changed, [name for one in rule.changes for name in one.columns])
        return cls(
            number=number,
            type=rule.type,
            on=rule.on,
            needs=rule.needs,
            is_conditional=rule.is_conditional,
            watched=[names for names in lists if names],
            sees_changed=sees_changed or any(one.may_see("changed") for one in rule.expressions()),
            when=_function(rule.when),
            id=_function(rule.id),
            item=_function(rule.item),
            payload=_function(rule.payload),
            changes=[
                Requested(one.field, one.columns, _function(one.value)) for one in rule.changes
            ],
            project=_function(rule.project),
        )

    def may_fire(self, op: str, changed: frozenset[str] | None) -> bool:
        """Whether it may, if these columns changed and no others; None: it is not certain."""
        certain = changed is not None and any(map(changed.isdisjoint, self.watched))
        return self.on == op and not certain


class Rules:
    """The rules by table.

    Args:
        rules: all, in the order of the file.
        sees_changed: whether what tells the actor may look at `changed`.
    """

    def __init__(self, rules: Sequence[Rule], *, sees_changed: bool) -> None:
        self._rules = rules
        self._sees_changed = sees_changed
        self._of_table: dict[str, Sequence[Placed]] = {}
        self._that_may_fire: dict[tuple[str, str, frozenset[str] | None], Sequence[Placed]] = {}

    def of_table(self, table: str) -> Sequence[Placed]:
        """Those of a table, by the end of its name."""
        known = self._of_table.get(table)
        if known is None:
            known = self._of_table[table] = [
                Placed.of(number, rule, sees_changed=self._sees_changed)
                for number, rule in enumerate(self._rules)
                if fits_any(table, rule.tables)
            ]
        return known

    def that_may_fire(self, transition: Transition) -> Sequence[Placed]:
        """Those of which it is not certain that they do not.

        Remembered: a change mostly changes what others of its table have changed.
        """
        certain = transition.before_proof not in UNCERTAIN and not transition.doubtful
        changed = (transition.changed or _NOTHING) if certain else None
        table, op = transition.table, transition.op
        known = self._that_may_fire.get((table, op, changed))
        if known is None:
            if len(self._that_may_fire) >= _MOST_KNOWN:
                self._that_may_fire.clear()
            known = [one for one in self.of_table(table) if one.may_fire(op, changed)]
            self._that_may_fire[table, op, changed] = known
        return known


def _function(expression: Expression | None) -> Evaluate | None:
    return None if expression is None else expression.of
