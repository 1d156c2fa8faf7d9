"""Who made a change, as far as the row says so; and if it does not, why not. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jmespath

from cdc_archive.audit.mapping import ActorRules
from cdc_archive.decode.images import Row, is_unavailable, parsed
from cdc_archive.history.transition import Transition

EXACT: Final = "exact"
"""The change itself wrote the actor."""
UNVERIFIED: Final = "unverified"
"""The row names an actor; whether this change wrote it cannot be told."""
STALE: Final = "stale"
"""The row names an actor, but this change did not touch it: it is that of an earlier one."""
MISSING: Final = "missing"
"""The row names no actor."""
INVALID: Final = "invalid"
"""What stands there is no actor."""


class ActorFound(NamedTuple):
    """The event's actor (None: unknown), its status, and why."""

    actor: Row | None
    status: str
    reason: str


def find(transition: Transition, rules: ActorRules) -> ActorFound:
    """Look through the columns that the mapping names for this operation."""
    columns: list[str] = getattr(rules, transition.op)
    if not columns:
        return ActorFound(None, MISSING, f"the mapping names no actor column for a {transition.op}")
    stale = None
    for column in columns:
        value = transition.row.get(column)
        if value is None or is_unavailable(value):
            continue
        status = _status(transition, column)
        if status == STALE and not rules.trust_unchanged:
            stale = stale or column
            continue
        return _shaped(column, value, UNVERIFIED if status == STALE else status, rules)
    if stale is not None:
        return ActorFound(None, STALE, f"{stale} was not touched by this change")
    return ActorFound(None, MISSING, f"{', '.join(columns)}: null or not there")


def _status(transition: Transition, column: str) -> str:
    if transition.op == "create":
        return EXACT
    if transition.op == "delete":
        return STALE
    if transition.changed is None:
        return UNVERIFIED
    return EXACT if column in transition.changed else STALE


def _shaped(column: str, value: Any, status: str, rules: ActorRules) -> ActorFound:
    found = _parsed(value)
    template = rules.template if isinstance(found, dict) else rules.plain
    try:
        actor = None if template is None else pruned(template.search(found))
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError, ArithmeticError) as error:
        return ActorFound(None, INVALID, f"{column} does not fit the mapping: {_kind(error)}")
    kind = actor.get("type") if isinstance(actor, dict) else None
    if not isinstance(actor, dict) or kind not in ("session", "api_key") or kind not in actor:
        return ActorFound(None, INVALID, f"{column} does not hold a session or an api_key")
    return ActorFound(actor, status, column)


def _kind(error: Exception) -> str:
    """An error by its kind: its text may hold the whole value, and reasons are counted."""
    return type(error).__name__


def _parsed(value: Any) -> Any:
    """A jsonb column arrives as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return parsed(value)
        except ValueError:
            return value
    return value


def pruned(value: Any) -> Any:
    """The value without the members that are null."""
    if isinstance(value, list):
        return [pruned(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: pruned(one) for name, one in value.items() if one is not None}
