"""What Django sends, and when. SQLite stands in; tests/e2e/test_examples.py has PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import connection, models, transaction
from django.db.backends.signals import connection_created

from examples.actor import django_actor
from examples.actor.acting import acting, current, session_actor

if not settings.configured:
    memory = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(DATABASES={"default": memory}, USE_TZ=True)
    django.setup()

ANN, BOB = session_actor("ann"), session_actor("bob")
ROW_VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Key(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "platform"


def verb(sql: str) -> str:
    return sql.partition(" ")[0]


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """Statements on rows that reached the database, by their verb; a message by its actor."""
    connection.ensure_connection()
    connection.connection.create_function("pg_logical_emit_message", 3, lambda *_: "0/0")
    with connection.schema_editor() as editor:
        editor.create_model(Key)
    seen: list[str] = []

    def see(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT pg_logical_emit_message"):
            assert params[0] == "audit.actor"
            seen.append("ann" if '"ann"' in params[1] else "bob")
        elif verb(sql) in ROW_VERBS:
            seen.append(verb(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(django_actor.tell), connection.execute_wrapper(see):
        yield seen
    with connection.schema_editor() as editor:
        editor.delete_model(Key)


def test_one_message_goes_before_the_first_write(sent: list[str]) -> None:
    """Not at the beginning of the transaction, not at each write, not in a nested block."""
    with acting(ANN), transaction.atomic():
        assert Key.objects.count() == 0
        Key.objects.create(name="a")
        with transaction.atomic(savepoint=False):
            Key.objects.create(name="b")
    assert sent == ["SELECT", "ann", "INSERT", "INSERT"]


def test_a_transaction_that_reads_tells_nothing(sent: list[str]) -> None:
    """It would have to write to the WAL."""
    with acting(ANN), transaction.atomic():
        assert not Key.objects.exists()
    assert sent == ["SELECT"]


def test_a_statement_of_its_own_gets_a_transaction(sent: list[str]) -> None:
    """Without `atomic` message and row would be in two transactions."""
    states = []

    def see(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if verb(sql) in ROW_VERBS:
            states.append((verb(sql), connection.in_atomic_block))
        return execute(sql, *rest)

    with acting(ANN), connection.execute_wrapper(see):
        Key.objects.bulk_create([Key(name="a"), Key(name="b")])
        Key.objects.filter(name="a").update(name="c")
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM platform_key")
    assert states == [
        (word, True) for word in ("SELECT", "INSERT", "SELECT", "UPDATE", "SELECT", "DELETE")
    ]
    assert sent == ["ann", "INSERT", "ann", "UPDATE", "ann", "DELETE"]
    assert connection.get_autocommit()


def test_the_next_user_of_a_connection_is_not_the_one_before(sent: list[str]) -> None:
    """Committed, rolled back, or with nobody acting: it is the same connection."""
    with acting(ANN), transaction.atomic():
        Key.objects.create(name="a")
    with acting(ANN), transaction.atomic():
        Key.objects.create(name="a")
        transaction.set_rollback(True)
    with acting(ANN), transaction.atomic():
        Key.objects.create(name="a")
    assert sent == ["ann", "INSERT"] * 3
    with transaction.atomic():
        Key.objects.create(name="a")
    with acting(BOB), transaction.atomic():
        Key.objects.create(name="a")
    assert sent[6:] == ["INSERT", "bob", "INSERT"]


def test_a_rolled_back_savepoint_takes_the_message_with_it(sent: list[str]) -> None:
    """So the next write tells it again; a kept one keeps it."""
    with acting(ANN), transaction.atomic():
        with transaction.atomic():
            Key.objects.create(name="a")
            transaction.set_rollback(True)
        with transaction.atomic():
            Key.objects.create(name="b")
        Key.objects.create(name="c")
    assert sent == ["ann", "INSERT", "ann", "INSERT", "INSERT"]


def test_two_actors_in_one_transaction_are_both_told(sent: list[str]) -> None:
    """Replay then says `ambiguous`, which is what it is."""
    with transaction.atomic():
        for actor in (ANN, ANN, BOB):
            with acting(actor):
                Key.objects.create(name="a")
    assert sent == ["ann", "INSERT", "INSERT", "bob", "INSERT"]


def test_commits_by_hand_tell_at_each_write(sent: list[str]) -> None:
    """When such a transaction ends is not known."""
    transaction.set_autocommit(False)
    try:
        with acting(ANN):
            Key.objects.create(name="a")
            Key.objects.create(name="b")
            transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert sent == ["ann", "INSERT", "ann", "INSERT"]


def request_of(user: Any) -> Any:
    meta = {"REMOTE_ADDR": "203.0.113.7", "HTTP_USER_AGENT": "Mozilla/5.0"}
    return SimpleNamespace(user=user, META=meta)


KNOWN = SimpleNamespace(is_authenticated=True, pk=7, email="ann@example.com")
NOBODY = SimpleNamespace(is_authenticated=False)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_request_acts_as_its_user(kind: str) -> None:
    """With address and user agent; nobody acts after it."""
    actor = session_actor(
        "7", "ann@example.com", ip_address="203.0.113.7", user_agent="Mozilla/5.0"
    )
    with acting(actor):
        expected = current()

    async def view_async(_request: Any) -> str | None:
        return current()

    if kind == "async":
        answer = asyncio.run(django_actor.actor_middleware(view_async)(request_of(KNOWN)))
    else:
        answer = django_actor.actor_middleware(lambda _: current())(request_of(KNOWN))
    assert answer == expected
    assert current() is None


def test_a_request_of_nobody_has_no_actor() -> None:
    """Not logged in, or before the authentication's middleware."""
    answer = django_actor.actor_middleware(lambda _: current())
    assert answer(request_of(NOBODY)) is None
    assert answer(SimpleNamespace(META={})) is None


def test_who_a_request_is_by_is_asked_when_it_writes(sent: list[str]) -> None:
    """Most requests only read, and looking the user up costs a query."""
    asked = []

    class Lazy:
        META: dict[str, str] = {}

        @property
        def user(self) -> Any:
            asked.append(len(sent))
            return KNOWN

    def view(_request: Any) -> None:
        list(Key.objects.all())
        with transaction.atomic():
            Key.objects.create(name="a")

    django_actor.actor_middleware(view)(Lazy())
    assert asked == [1]


def test_only_postgresql_is_told(sent: list[str]) -> None:
    """Other databases have no such function. A second install, or a reconnect, adds nothing."""
    try:
        django_actor.install()
        assert connection.execute_wrappers[0] is django_actor.tell
        assert len(connection.execute_wrappers) == 2
        other = SimpleNamespace(vendor="postgresql", execute_wrappers=[])
        for _ in range(2):
            connection_created.send(sender=type(other), connection=other)
        assert other.execute_wrappers == [django_actor.tell]
    finally:
        connection_created.disconnect(dispatch_uid="examples.actor")
