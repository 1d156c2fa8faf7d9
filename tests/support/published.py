"""Proven and published events for tests, with sane defaults."""

from __future__ import annotations

from itertools import count
from typing import Any

from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.published import Published

SECOND = 1_000_000
NOON = 1_771_502_400 * SECOND
USER = {"type": "session", "session": {"user": {"id": "user_1", "email": "a@example.com"}}}
_numbers = count()


def event(
    kind: str = "api_key.updated",
    at: float = 0,
    *,
    id: str | None = None,  # noqa: A002  # as it is called in an event
    resource: str = "key_1",
    actor: Any = USER,
    **payload: Any,
) -> dict[str, Any]:
    """An event `at` seconds after noon; `payload` are members of its changes_requested."""
    told: dict[str, Any] = {"id": resource}
    if payload:
        told["changes_requested"] = payload
    return {
        "id": id or f"audit_log-{next(_numbers)}",
        "object": "organization.audit_log",
        "type": kind,
        "effective_at": (NOON + int(at * SECOND)) // SECOND,
        "actor": actor,
        kind: told,
    }


def proven(at: float = 0, **told: Any) -> Expected:
    """An event that the changes prove."""
    made = event(at=at, **told)
    resource = made[made["type"]].get("id", "")
    evidence = {"table": "lab.app.api_key", "topic": "pg.app.api_key"}
    time_us = NOON + int(at * SECOND)
    return Expected(made["id"], made["type"], resource, time_us, made, evidence, "pg.app")


def published(at: float = 0, **told: Any) -> Published:
    """An event of a published log, whose time is in whole seconds."""
    made = event(at=at, **told)
    return Published(made, None, f"log:{next(_numbers)}", made["effective_at"] * SECOND)
