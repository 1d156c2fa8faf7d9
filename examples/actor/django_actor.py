"""Django: a middleware says who acts in a request, each transaction that writes tells it to the
database in a logical message.

    MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware",
                  "examples.actor.django_actor.actor_middleware"]

    class PlatformConfig(AppConfig):
        def ready(self) -> None:
            django_actor.install()

Covered is all that goes through Django's cursors: save(), update(), bulk_create(), raw SQL; not
psycopg's own copy(). A response that is streamed is made after the middleware has ended: wrap its
generator in `acting` if it writes.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from django.db import connections, transaction
from django.db.backends.signals import connection_created
from django.utils.decorators import sync_and_async_middleware

from examples.actor.acting import PREFIX, Actor, acting, current, session_actor, writes

# The function takes text or bytes: a driver that sends no types leaves open which.
_MESSAGE: Final = "SELECT pg_logical_emit_message(true, %s, CAST(%s AS text))"


@sync_and_async_middleware  # type: ignore[untyped-decorator]
def actor_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The request's user acts, with the address and the user agent of the request.

    The user is looked up when something is written, not at each request.
    """
    if inspect.iscoroutinefunction(get_response):

        async def answer_async(request: Any) -> Any:
            with acting(lambda: actor_of(request)):
                waiting: Awaitable[Any] = get_response(request)
                return await waiting

        return answer_async

    def answer(request: Any) -> Any:
        with acting(lambda: actor_of(request)):
            return get_response(request)

    return answer


def actor_of(request: Any) -> Actor | None:
    """Who a request is by; None if nobody is logged in.

    Behind a proxy REMOTE_ADDR is the proxy: let what terminates the connection set it.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return session_actor(
        str(user.pk),
        user.email or None,
        ip_address=request.META.get("REMOTE_ADDR"),
        user_agent=request.META.get("HTTP_USER_AGENT"),
    )


def install() -> None:
    """Let every connection to PostgreSQL, open or yet to come, tell the actor."""
    connection_created.connect(_on_connection, dispatch_uid="examples.actor")
    for connection in connections.all(initialized_only=True):
        _on_connection(None, connection)


def _on_connection(sender: object, connection: Any, **_: Any) -> None:
    if connection.vendor == "postgresql" and tell not in connection.execute_wrappers:
        connection.execute_wrappers.append(tell)  # a reconnect finds it there


def tell(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """An execute wrapper: the actor goes out before the first statement that writes.

    Outside of `atomic` every statement is its own transaction, and a message would be another: the
    statement gets a transaction around it. A composed statement of psycopg's counts as one that
    writes.
    """
    connection = context["connection"]
    actor = current() if not isinstance(sql, str) or writes(sql) else None
    if actor is None:
        return execute(sql, params, many, context)
    if connection.in_atomic_block:
        _tell_once(connection, actor)
    elif connection.get_autocommit():
        with transaction.atomic(using=connection.alias):
            _emit(connection, actor)
            return execute(sql, params, many, context)
    else:  # the application commits by hand: when is not known, and told twice does no harm
        _emit(connection, actor)
    return execute(sql, params, many, context)


class _Told:
    """Waits among the transaction's on-commit hooks: they go when it ends, and those of a savepoint
    when that is rolled back, and so does what was said in the WAL.
    """

    def __init__(self, actor: str) -> None:
        self.actor = actor

    def __call__(self) -> None:
        """Nothing is left to do at the commit."""


def _tell_once(connection: Any, actor: str) -> None:
    last = [hook.actor for _, hook, *_ in connection.run_on_commit if isinstance(hook, _Told)][-1:]
    if last != [actor]:
        _emit(connection, actor)
        transaction.on_commit(_Told(actor), using=connection.alias)


def _emit(connection: Any, actor: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGE, [PREFIX, actor])
