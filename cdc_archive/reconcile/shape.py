"""What a published event looks like: by default as in OpenAI's audit log, else as JMESPath says.

Whatever its shape, an event is turned into the one that replay gives to events.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from cdc_archive.audit.expression import MISFITS, Expression
from cdc_archive.decode.images import Row, parsed
from cdc_archive.reconcile.expected import SECOND_US
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.services import Services

_UNITS: Final = {"s": SECOND_US, "ms": 1_000, "us": 1}
_END_US: Final = 253_402_300_800 * SECOND_US
"""The year 10000: a time after it was given in another unit."""
_SHOWN: Final = 60


class Names(NamedTuple):
    """Where the parts of a published event stand, each as JMESPath.

    `event`: the event in what surrounds it; None: nothing does. `id`, `type`, `time`, `payload`,
    `actor` and `project` look into the event; `payload` None: the member named as the type.
    `service` looks into what surrounds the event. `resource` looks into the payload, of a proven
    event too: what the event is about. `time_unit` of times that are numbers: s, ms or us; those
    that are texts are ISO 8601.
    """

    event: str | None = None
    id: str = "id"
    type: str = "type"
    time: str = "effective_at"
    time_unit: str = "s"
    payload: str | None = None
    actor: str = "actor"
    project: str = "project"
    service: str | None = None
    resource: str = "id"

    @property
    def are_ours(self) -> bool:
        """Whether an event stands there as replay writes it, but for the form of its time."""
        own = Names(self.event, time_unit=self.time_unit, service=self.service)
        return self._replace(resource=own.resource) == own


_Look = Callable[[Any], Any]


class Shape:
    """Reads published events.

    Args:
        names: where their parts stand.
        services: whose they are.

    Raises:
        ValueError: a name is no JMESPath expression.
    """

    def __init__(self, names: Names, services: Services) -> None:
        self._services = services
        self._unit = _UNITS[names.time_unit]
        self._event = None if names.event is None else _look(names.event)
        self._service = None if names.service is None else _look(names.service)
        self._payload = None if names.payload is None else _look(names.payload)
        self._id, self._type, self._time = map(_look, (names.id, names.type, names.time))
        self._beside = [("project", _look(names.project)), ("actor", _look(names.actor))]
        self._resource = _look(names.resource)
        self._is_ours = names.are_ours

    def read(self, data: bytes, where: str, header: bytes | None = None) -> Published | Unreadable:
        """An event out of JSON text.

        Args:
            data: the text.
            where: its place.
            header: the service, if a header of the message names it.
        """
        try:
            value = parsed(data)
        except ValueError:
            return Unreadable(where, "no JSON text" if data.strip() else "empty")
        return self.of(value, where, header)

    def of(self, value: Any, where: str, header: bytes | None = None) -> Published | Unreadable:
        """An event out of a JSON value."""
        try:
            return self._read(value, where, header)
        except _Unfit as error:
            return Unreadable(where, str(error))
        except MISFITS as error:  # its text may hold the whole event
            return Unreadable(where, f"does not fit [reconcile]: {type(error).__name__}")

    def resource(self, event: Row) -> str:
        """What an event in the form of replay is about; "" if it names no single thing."""
        try:
            found = self._resource(event.get(event["type"]))
        except MISFITS:
            return ""
        return "" if found is None else str(found)

    def _read(self, value: Any, where: str, header: bytes | None) -> Published | Unreadable:
        event = value if self._event is None else self._event(value)
        if isinstance(event, str):
            event = parsed(event)
        if not isinstance(event, dict):
            raise _Unfit("no JSON object" if self._event is None else "no event at reconcile.event")
        kind = self._type(event)
        if not (isinstance(kind, str) and kind):
            raise _Unfit("no type")
        time_us = self._moment(self._time(event))
        told = header or (None if self._service is None else self._service(value))
        service = self._services.of_published(kind, told)
        return Published(self._as_ours(event, kind, time_us), service, where, time_us)

    def _as_ours(self, event: Row, kind: str, time_us: int) -> Row:
        found = self._id(event)
        named = found if found is None or isinstance(found, str) else str(found)
        if self._is_ours:
            return event if found is named else {**event, "id": named}
        payload = event.get(kind) if self._payload is None else self._payload(event)
        beside = {name: look(event) for name, look in self._beside}
        return {
            "id": named,
            "type": kind,
            "effective_at": time_us // SECOND_US,
            **{name: part for name, part in beside.items() if part is not None},
            kind: payload,
        }

    def _moment(self, value: Any) -> int:
        if value is None:
            raise _Unfit("no time")
        if isinstance(value, str):
            return _iso(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise _Unfit("its time is neither a number nor a text")
        if not 0 < value < _END_US or not 0 < value * self._unit < _END_US:
            raise _Unfit(f"its time is none in reconcile.time_unit: {str(value)[:_SHOWN]}")
        return math.floor(value * self._unit)


class _Unfit(ValueError):
    """The value is no event; says why."""


def _look(text: str) -> _Look:
    """How to find something; a plain name needs no JMESPath."""
    if text.isidentifier() and text.isascii():
        return lambda value: value.get(text) if isinstance(value, dict) else None
    return Expression(text).of


def _iso(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Unfit(f"its time is none of ISO 8601: {text[:_SHOWN]!r}") from None
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
