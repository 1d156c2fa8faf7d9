"""An application on SQLAlchemy: keys, service accounts, limits. Its one connection is used by all.

Run as `by_sqlalchemy.py PORT`. Each act that makes an event is matched in test_examples.py.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from sqlalchemy import ARRAY, LargeBinary, Text, create_engine, delete, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from examples.actor.acting import acting, api_key_actor, session_actor
from examples.actor.sqlalchemy_actor import tell_actors


class Base(DeclarativeBase):
    pass


class ServiceAccount(Base):
    __tablename__ = "service_account"
    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    deleted_at: Mapped[datetime | None]


class ApiKey(Base):
    __tablename__ = "api_key"
    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    deleted_at: Mapped[datetime | None]


class RateLimit(Base):
    __tablename__ = "rate_limit"
    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str]
    model: Mapped[str]
    max_requests_per_1_minute: Mapped[int | None]


def main(port: str) -> None:
    engine = create_engine(
        f"postgresql+psycopg://postgres@127.0.0.1:{port}/lab?options=-csearch_path%3Dplatform",
        pool_size=1,
        max_overflow=0,
    )
    tell_actors(engine)
    ann = session_actor("user_1", "u1@example.com", ip_address="203.0.113.1")
    with acting(ann), Session(engine) as session, session.begin():
        session.scalars(text("SELECT count(*) FROM project")).one()
        session.add(ServiceAccount(id="svc_2", project_id="proj_1", name="web", role="member"))
        session.add(ApiKey(id="key_2", project_id="proj_1", secret_hash=b"h", scopes=["read"]))
    with Session(engine) as session, session.begin():  # nobody: the connection has forgotten Ann
        session.execute(update(ApiKey).values(scopes=["read", "write"]))
    with acting(session_actor("user_2")), Session(engine) as session, session.begin():
        with session.begin_nested() as savepoint:
            session.execute(update(ServiceAccount).values(role="owner"))
            savepoint.rollback()
        session.get_one(ServiceAccount, "svc_2").role = "owner"
    with acting(session_actor("user_3")), Session(engine) as session, session.begin():
        session.add(
            RateLimit(id="rl-m", project_id="proj_1", model="m", max_requests_per_1_minute=60)
        )
    with acting(session_actor("user_4")), engine.begin() as connection:
        connection.execute(text("UPDATE rate_limit SET max_requests_per_1_minute = 0"))
    with acting(api_key_actor("key_9", service_account="svc_9")), engine.begin() as connection:
        connection.execute(delete(RateLimit))
    with acting(api_key_actor("key_2", user="user_5")), Session(engine) as session, session.begin():
        session.get_one(ApiKey, "key_2").deleted_at = datetime.now(UTC)
        session.get_one(ServiceAccount, "svc_2").deleted_at = datetime.now(UTC)
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
