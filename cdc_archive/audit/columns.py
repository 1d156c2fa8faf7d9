"""Which columns a mapping reads of which tables, and whether rows have them. Pure.

A column that is only one of several alternatives may be missing: in a list of which another one is
there, or in `a || b` of which another branch is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cdc_archive.audit.actor_rules import ActorSource
from cdc_archive.audit.expression import Expression
from cdc_archive.audit.mapping import Mapping, Rule

Columns = frozenset[str]
"""Columns that rows of some tables have; empty: no row was seen."""


class Need(NamedTuple):
    """A key of the mapping that names columns: what is missing of them, and what is missing beside
    an alternative that is there.
    """

    key: str
    missing: list[str]
    alternatives: list[str]


def of_rule(rule: Rule, columns: Columns) -> Iterator[Need]:
    """What the keys of a rule miss in rows that have these columns."""
    yield _of_list("changed", rule.changed, columns)
    yield from (_of_list("needs", [name], columns) for name in rule.needs)
    for field in rule.changes:
        yield _of_list(f"changes {field.field}", field.columns, columns)
        yield from _of_expression(f"changes {field.field} value", field.value, columns)
    for key in ("id", "when", "payload", "project", "item"):
        yield from _of_expression(key, getattr(rule, key), columns)


def of_source(source: ActorSource, op: str, columns: Columns) -> Iterator[Need]:
    """What an actor source with columns misses in rows that are changed by `op`."""
    yield _of_list(f"columns {op}", getattr(source.columns, op), columns)
    yield from _of_expression("value", source.value, columns)


def tables_named(mapping: Mapping) -> list[str]:
    """Patterns of all tables that a mapping names."""
    patterns = [name for rule in mapping.rule for name in rule.tables]
    patterns += [name for one in mapping.lookup.values() for name in one.tables]
    patterns += [name for one in mapping.hints for name in one.tables]
    return patterns + [name for one in mapping.actor.source for name in one.row or ()]


def _of_list(key: str, names: Sequence[str], columns: Columns) -> Need:
    missing = [name for name in names if name not in columns]
    other = len(missing) < len(names)
    return Need(key, [] if other else missing, missing if other else [])


def _of_expression(key: str, expression: Expression | None, columns: Columns) -> Iterator[Need]:
    if expression is None:
        return
    yield Need(key, *expression.missing(columns, "row", "before", "after", "changed"))
