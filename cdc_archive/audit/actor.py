"""Who made a change, as far as the archive says so; and if it does not, why not. Pure.

The sources of the mapping are asked in their order; the first that names an actor decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cdc_archive.audit.actor_rules import ActorRules, ActorSource
from cdc_archive.audit.content import UNREADABLE
from cdc_archive.audit.context import Context, Testimony
from cdc_archive.audit.expression import MISFITS
from cdc_archive.audit.functions import NOTHING_BESIDE, Functions
from cdc_archive.decode.images import Row, is_unavailable, key_value, parsed
from cdc_archive.history.transition import Origin, Transition

EXACT: Final = "exact"
"""The change itself, or its transaction, wrote the actor."""
UNVERIFIED: Final = "unverified"
"""The row names an actor; whether this change wrote it cannot be told."""
STALE: Final = "stale"
"""The row names an actor, but this change did not touch it: it is that of an earlier one."""
MISSING: Final = "missing"
"""Nothing names an actor."""
INVALID: Final = "invalid"
"""What stands there is no actor."""
AMBIGUOUS: Final = "ambiguous"
"""The transaction names two different actors."""

NO_COLUMN: Final = "no column"
"""The place of a source that names no column for this kind of change."""

_WEIGHT: Final = (MISSING, STALE, INVALID, AMBIGUOUS)
"""Why there is no actor: of several reasons the last one here gives the status."""


_DECIDES: Final = frozenset({EXACT, AMBIGUOUS})
"""After these no other source is asked."""
_HOLDING: Final = (dict, list)
_SHORT: Final = 4096
"""Longer texts are not kept."""


class Look(NamedTuple):
    """What one place gave: an actor, or None and the reason; and the message it stood in, if that
    is another than the change's own.
    """

    place: str
    actor: Row | None
    status: str
    reason: str = ""
    origin: Origin | None = None


class ActorFound(NamedTuple):
    """The event's actor (None: unknown), its status, where it stood or why it is unknown."""

    actor: Row | None
    status: str
    reason: str
    source: str | None = None
    origin: Origin | None = None


class Actors:
    """Asks the sources of a mapping.

    Args:
        rules: the sources, in their order.
        context: what other messages say.

    Attributes:
        see_changed: whether one may look at the `changed` of what it is given.
    """

    def __init__(self, rules: ActorRules, context: Context) -> None:
        self._sources = [
            (number, source, _Shape(source, rules)) for number, source in enumerate(rules.source)
        ]
        self._context = context
        values = [source.value for source in rules.source if source.columns is not None]
        self.see_changed = any(one is not None and one.may_see("changed") for one in values)

    def find(self, transition: Transition, values: Row, functions: Functions) -> ActorFound:
        """Who made the change.

        Args:
            transition: the change of a row.
            values: what the expressions of a rule see of it.
            functions: the functions that expressions may call.
        """
        return decided(self.looks(transition, values, functions))

    def looks(self, transition: Transition, values: Row, functions: Functions) -> list[Look]:
        """What each source gives, up to the one that decides.

        One that may be of an earlier change decides only if none is of this one for certain.
        """
        looked = []
        for number, source, shape in self._sources:
            if source.columns is not None:
                look = _columns(transition, values, source, shape, functions)
            elif source.header is not None:
                look = _header(transition, source, shape, functions)
            else:
                told = self._context.testimony(number, transition.change)
                look = _testimony(transition, told, source, shape, functions)
            looked.append(look)
            if look.status in _DECIDES:
                break
        return looked


def decided(looked: Sequence[Look]) -> ActorFound:
    """The actor that is exact, else the first that was given; without one, all reasons.

    Args:
        looked: as `Actors.looks` gives them: one that is exact is the last.
    """
    if not looked:
        return ActorFound(None, MISSING, "the mapping names no actor source")
    if looked[-1].status == EXACT:
        return _given(looked[-1])
    given = next((look for look in looked if look.actor is not None), None)
    if given is not None:
        return _given(given)
    status = max((look.status for look in looked), key=_WEIGHT.index)
    return ActorFound(None, status, "; ".join(look.reason for look in looked))


def _given(look: Look) -> ActorFound:
    return ActorFound(look.actor, look.status, look.place, look.place, look.origin)


class _Shape:
    """Turns what stood in a source into an actor. Texts come again and again: they are kept."""

    def __init__(self, source: ActorSource, rules: ActorRules) -> None:
        self._template = source.template or rules.template
        self._plain = source.plain or rules.plain
        looking = [one for one in (self._template, self._plain) if one is not None and one.lookups]
        self._longest = 0 if looking else _SHORT
        self._known = lru_cache(maxsize=4096)(self._look)

    def of(
        self,
        place: str,
        value: Any,
        status: str,
        functions: Functions,
        origin: Origin | None = None,
    ) -> Look:
        if origin is None and isinstance(value, str) and len(value) <= self._longest:
            return self._known(place, value, status)
        return self._look(place, value, status, functions, origin)

    def _look(
        self,
        place: str,
        value: Any,
        status: str,
        functions: Functions = NOTHING_BESIDE,
        origin: Origin | None = None,
    ) -> Look:
        if value is None:
            return Look(place, None, MISSING, f"{place}: null or not there", origin)
        actor, fault = self._shaped(value, functions)
        if actor is None:
            return Look(place, None, INVALID, f"{place} {fault}", origin)
        return Look(place, actor, status, "", origin)

    def _shaped(self, value: Any, functions: Functions) -> tuple[Row | None, str]:
        found = _json_object(value)
        template = self._template if isinstance(found, dict) else self._plain
        try:
            actor = None if template is None else pruned(template.of(found, functions))
        except MISFITS as error:  # its text may hold the whole value, and reasons are counted
            return None, f"does not fit the mapping: {type(error).__name__}"
        if not _is_actor(actor):
            return None, "does not hold a session or an api_key"
        return actor, ""


def _is_actor(found: Any) -> bool:
    kind = found.get("type") if isinstance(found, dict) else None
    return kind in ("session", "api_key") and _tells_anything(found.get(kind))


def _tells_anything(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_tells_anything, value.values()))
    return any(map(_tells_anything, value)) if isinstance(value, list) else value is not None


def _columns(
    transition: Transition, values: Row, source: ActorSource, shape: _Shape, functions: Functions
) -> Look:
    columns: Sequence[str] = getattr(source.columns, transition.op)
    if not columns:
        told = f"the mapping names no actor column for a {transition.op}"
        return Look(NO_COLUMN, None, MISSING, told)
    stale, row = None, transition.row
    for column in columns:
        value = row.get(column)
        if value is None or is_unavailable(value):
            continue
        status = _status(transition, column)
        if status == STALE:
            if not source.trust_unchanged:
                stale = stale or column
                continue
            status = UNVERIFIED
        if source.value is not None:
            return _split(columns, values, source, shape, status, functions)
        return shape.of(f"column {column}", value, status, functions)
    if stale is not None:
        return Look(f"column {stale}", None, STALE, f"{stale} was not touched by this change")
    names = ", ".join(columns)
    return Look(f"column {names}", None, MISSING, f"{names}: null or not there")


def _split(
    columns: Sequence[str],
    values: Row,
    source: ActorSource,
    shape: _Shape,
    status: str,
    functions: Functions,
) -> Look:
    """An actor that stands in several columns, one of which this change touched."""
    place = f"column {', '.join(columns)}"
    assert source.value is not None
    try:
        value = source.value.of(values, functions)
    except MISFITS:
        value = UNREADABLE
    return shape.of(place, value, status, functions)


def _status(transition: Transition, column: str) -> str:
    if transition.op == "create":
        return EXACT
    if transition.op == "delete":
        return STALE
    if transition.changed is None:
        return UNVERIFIED
    if column not in transition.changed:
        return STALE
    return EXACT if transition.before_doubt is None else UNVERIFIED


def _header(
    transition: Transition, source: ActorSource, shape: _Shape, functions: Functions
) -> Look:
    wanted = source.header or []
    headers = dict(reversed(transition.change.archived.record.headers))
    name = next((name for name in wanted if headers.get(name) is not None), None)
    if name is None:
        names = ", ".join(wanted)
        return Look(f"header {names}", None, MISSING, f"header {names}: null or not there")
    value = _header_value(headers[name])
    try:
        value = value if source.value is None else source.value.of(value, functions)
    except MISFITS:
        value = UNREADABLE
    return shape.of(f"header {name}", value, EXACT, functions)


def _header_value(data: bytes | None) -> Any:
    """JSON, or text; a number is somebody's id as text."""
    found = key_value(data)
    if isinstance(found, dict | str):
        return found
    return None if data is None else data.decode("utf-8", "replace")


def _testimony(
    transition: Transition,
    told: Sequence[Testimony],
    source: ActorSource,
    shape: _Shape,
    functions: Functions,
) -> Look:
    place = f"{source.kind} {', '.join(source.message or source.row or ())}"
    if transition.change.position.transaction is None:
        return Look(place, None, MISSING, f"{place}: the change does not name its transaction")
    found = [shape.of(place, one.value, EXACT, functions, one.origin) for one in told]
    if not found:
        return Look(place, None, MISSING, f"{place}: none in the transaction")
    named = [look for look in found if look.actor is not None]
    if any(look.actor != named[0].actor for look in named):
        return Look(place, None, AMBIGUOUS, f"{place}: two different actors in the transaction")
    return named[0] if named else found[0]


def _json_object(value: Any) -> Any:
    """A jsonb column arrives as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return parsed(value)
        except ValueError:
            return value
    return value


def pruned(value: Any) -> Any:
    """The value without the members that are null."""
    kind = type(value)
    if kind is dict:
        return {
            name: pruned(one) if type(one) in _HOLDING else one
            for name, one in value.items()
            if one is not None
        }
    return [pruned(one) for one in value] if kind is list else value
