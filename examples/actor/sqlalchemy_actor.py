"""SQLAlchemy 2: each transaction that writes tells its actor in a logical message.

    engine = create_engine("postgresql+psycopg://...")
    tell_actors(engine)                       # of an AsyncEngine: tell_actors(engine.sync_engine)

    with acting(session_actor("user_1")), Session(engine) as session, session.begin():
        session.add(...)

The listeners are the engine's, so that a flush, a bulk statement, Core and raw SQL are all covered.
The message goes out before the first statement that writes, not when the transaction begins: a
message makes a transaction write to the WAL, and most transactions only read.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, RootTransaction, event, text

from examples.actor.acting import PREFIX, current, writes

# The function takes text or bytes: a driver that sends no types leaves open which.
_MESSAGE: Final = text("SELECT pg_logical_emit_message(true, :prefix, CAST(:actor AS text))")


class NoTransaction(Exception):
    """A statement writes in autocommit mode: a message would be a transaction of its own, and tell
    nobody's actor. Write in a transaction, or use acting(None) where no actor is wanted.
    """


def tell_actors(engine: Engine) -> None:
    """Install the listeners on an engine, once."""
    # By transaction, not by connection: a pooled connection must not remember who used it before.
    told: WeakKeyDictionary[RootTransaction, str] = WeakKeyDictionary()

    def before_statement(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        if not writes(sql):
            return
        actor = current()
        transaction = connection.get_transaction()
        if actor is None:
            return
        if transaction is None or _commits_itself(connection):
            raise NoTransaction(NoTransaction.__doc__)
        if told.get(transaction) != actor:
            connection.execute(_MESSAGE, {"prefix": PREFIX, "actor": actor})
            told[transaction] = actor

    def after_savepoint_rollback(connection: Connection, *_: Any) -> None:
        # What was said since the savepoint is unsaid. Told twice does no harm; not at all does.
        transaction = connection.get_transaction()
        if transaction is not None:
            told.pop(transaction, None)

    event.listen(engine, "before_cursor_execute", before_statement)
    event.listen(engine, "rollback_savepoint", after_savepoint_rollback)


def _commits_itself(connection: Connection) -> bool:
    """Whether it is in autocommit: by its or its engine's options, or by the driver (psycopg)."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))
