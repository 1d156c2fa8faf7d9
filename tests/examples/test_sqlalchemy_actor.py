"""What SQLAlchemy sends, and when. SQLite stands in; tests/e2e/test_examples.py has PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event, insert, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from examples.actor.acting import acting, session_actor
from examples.actor.sqlalchemy_actor import NoTransaction, tell_actors

ANN, BOB = session_actor("ann"), session_actor("bob")
TOLD = "SELECT pg_logical_emit_message"


class Base(DeclarativeBase):
    pass


class Key(Base):
    __tablename__ = "api_key"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Sent(list[str]):
    """The statements that reached the database, by what they do; a message by its actor."""

    def take(self) -> list[str]:
        taken, self[:] = list(self), []
        return taken


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def engine(sent: Sent) -> Iterator[Engine]:
    # One connection, so that whoever comes next uses the one that was used before.
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.create_function("pg_logical_emit_message", 3, lambda *_: "0/0")

    Base.metadata.create_all(engine)
    tell_actors(engine)

    @event.listens_for(engine, "before_cursor_execute")
    def _(_conn: object, _cursor: object, sql: str, parameters: Any, *_: object) -> None:
        if sql.startswith(TOLD):
            assert parameters[0] == "audit.actor"
            sent.append("ann" if '"ann"' in parameters[1] else "bob")
        else:
            sent.append(sql.partition(" ")[0])

    yield engine
    engine.dispose()


def test_one_message_goes_before_the_first_write(engine: Engine, sent: Sent) -> None:
    """Not at the beginning of the transaction, and not at each write."""
    with acting(ANN), Session(engine) as session, session.begin():
        session.scalars(text("SELECT 1")).all()
        session.add(Key(id=1, name="a"))
        session.flush()
        session.add(Key(id=2, name="b"))
    assert sent == ["SELECT", "ann", "INSERT", "INSERT"]


def test_a_transaction_that_reads_tells_nothing(engine: Engine, sent: Sent) -> None:
    """It would have to write to the WAL."""
    with acting(ANN), Session(engine) as session, session.begin():
        session.scalars(text("SELECT 1")).all()
    assert sent == ["SELECT"]


def test_bulk_statements_core_and_raw_sql_are_covered(engine: Engine, sent: Sent) -> None:
    """Each in its own transaction, each with its message."""
    with acting(ANN):
        with Session(engine) as session, session.begin():
            session.execute(insert(Key), [{"id": n, "name": "x"} for n in range(3)])
        with Session(engine) as session, session.begin():
            session.execute(update(Key).values(name="y"))
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM api_key"))
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO api_key VALUES (1, 'z')")
    assert sent == ["ann", "INSERT", "ann", "UPDATE", "ann", "DELETE", "ann", "INSERT"]


def test_the_next_user_of_a_connection_is_not_the_one_before(engine: Engine, sent: Sent) -> None:
    """Committed, rolled back, left open, or with nobody acting: it is the same connection."""
    with acting(ANN), Session(engine) as session:
        session.add(Key(id=1, name="a"))
        session.commit()
        session.add(Key(id=2, name="a"))
        session.flush()  # closed without commit
    assert sent.take() == ["ann", "INSERT", "ann", "INSERT"]
    with Session(engine) as session, session.begin():
        session.add(Key(id=3, name="a"))
    assert sent.take() == ["INSERT"]
    with acting(BOB), Session(engine) as session, session.begin():
        session.add(Key(id=4, name="a"))
    assert sent.take() == ["bob", "INSERT"]


def test_a_rolled_back_savepoint_takes_the_message_with_it(engine: Engine, sent: Sent) -> None:
    """So the next write tells it again."""
    with acting(ANN), Session(engine) as session, session.begin():
        with session.begin_nested() as savepoint:
            session.add(Key(id=1, name="a"))
            session.flush()
            savepoint.rollback()
        session.add(Key(id=2, name="a"))
    assert sent == ["SAVEPOINT", "ann", "INSERT", "ROLLBACK", "ann", "INSERT"]


def test_a_kept_savepoint_keeps_its_message(engine: Engine, sent: Sent) -> None:
    """Nothing needs to be said again."""
    with acting(ANN), Session(engine) as session, session.begin():
        with session.begin_nested():
            session.add(Key(id=1, name="a"))
        session.add(Key(id=2, name="a"))
    assert sent == ["SAVEPOINT", "ann", "INSERT", "RELEASE", "INSERT"]


def test_two_actors_in_one_transaction_are_both_told(engine: Engine, sent: Sent) -> None:
    """Replay then says `ambiguous`, which is what it is."""
    with Session(engine) as session, session.begin():
        for number, actor in enumerate([ANN, ANN, BOB]):
            with acting(actor):
                session.add(Key(id=number, name="a"))
                session.flush()
    assert sent == ["ann", "INSERT", "INSERT", "bob", "INSERT"]


def test_a_write_in_autocommit_is_refused(engine: Engine, sent: Sent) -> None:
    """Its message would be a transaction of its own. Without an actor there is nothing to tell."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        connection.execute(text("INSERT INTO api_key VALUES (1, 'z')"))
        with acting(ANN), pytest.raises(NoTransaction, match="Write in a transaction"):
            connection.execute(text("INSERT INTO api_key VALUES (2, 'z')"))
    assert sent == ["INSERT"]
