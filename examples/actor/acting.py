"""Who is acting now, in this thread or task, and which statements write. No database is known here.

A request handler, a job or a command wraps its work in `acting`; what speaks to the database
(sqlalchemy_actor, django_actor) asks `current` and tells the database, once in a transaction that
writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

Actor = Mapping[str, Any]
"""An actor in the shape of the audit log's: `session_actor`, `api_key_actor`."""

PREFIX: Final = "audit.actor"
"""The messages' prefix, as schemas/mappings/openai.toml expects it."""

_acting: ContextVar[Actor | Callable[[], Actor | None] | None] = ContextVar("acting", default=None)
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COPY"})
_LEADING: Final = re.compile(r"(?:\s+|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z]+")


@contextmanager
def acting(actor: Actor | Callable[[], Actor | None] | None) -> Iterator[None]:
    """Let `actor` be the one who acts until the block ends.

    Args:
        actor: an actor; a function that is asked at each write (to find out who a request is by may
            cost a query that most requests do not need); None for nobody.
    """
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current() -> str | None:
    """Who acts now, as JSON text that is equal for equal actors; None for nobody."""
    actor = _acting.get()
    if callable(actor):
        with acting(None):  # what it asks the database is nobody's act
            actor = actor()
    return None if actor is None else json.dumps(actor, sort_keys=True, separators=(",", ":"))


def session_actor(user_id: str, email: str | None = None, **session: Any) -> Actor:
    """A person in a browser. `session`: ip_address, user_agent, ja3, ja4, ip_address_details."""
    user = {"id": user_id} if email is None else {"id": user_id, "email": email}
    known = {name: value for name, value in session.items() if value is not None}
    return {"type": "session", "session": {"user": user, **known}}


def api_key_actor(
    tracking_id: str | None = None, *, service_account: str | None = None, user: str | None = None
) -> Actor:
    """An API key, of a service account or of a user. A job of the platform's own is a service
    account too: the audit log has no third kind of actor.
    """
    if (service_account is None) == (user is None):
        raise ValueError("an API key belongs to a service account or to a user: give one of them")
    kind = "user" if service_account is None else "service_account"
    key: dict[str, Any] = {"type": kind, kind: {"id": service_account or user}}
    return {
        "type": "api_key",
        "api_key": key if tracking_id is None else {"id": tracking_id, **key},
    }


def writes(sql: str) -> bool:
    """Whether a statement changes rows, as far as its text shows.

    A SELECT of a function that writes does not show it, nor does a CALL: tell the actor by hand
    there, or let the database tell it (message.sql).
    """
    first = _LEADING.match(sql)
    if first is None:
        return False
    word = first[1].upper()
    if word == "WITH":
        return any(one.upper() in _WRITES for one in _WORD.findall(sql))
    return word in _WRITES
