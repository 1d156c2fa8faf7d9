"""Records the stream that `cdc-archive demo` plays: `python -m infra.local.record_demo`.

A small application works on the real PostgreSQL of the stack and writes down the audit event that
it publishes for each thing it does: with an id and the time of its own, with the actor also where
the row cannot tell it, and with the service that publishes it. Debezium's messages are recorded
beside that. The two files are independent accounts of the same work, so the demo can compare what
the changes prove.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from infra.local import __main__ as stack
from infra.local import parts
from infra.local.processes import StateFolder

OUT = Path(__file__).parents[2] / "cdc_archive" / "cli" / "demo_data"
NAME = "shop"
ACCOUNTS = ("organization", "invite", "user")
"""What the service `accounts` publishes events about; all else is that of `platform`."""
Event = dict[str, Any]


class Application:
    """Does seeded work, one statement an event, and keeps the audit log of it.

    Args:
        seed: of what it does.
        execute: runs a statement in a transaction of its own.
    """

    def __init__(self, seed: int, execute: Callable[[str], object]) -> None:
        self.rng = random.Random(seed)
        self.ids = random.Random(seed + 1)
        self.project: str | None = None
        self.statements = 0
        self.audit: list[Event] = []
        self._execute = execute

    def run(self, sql: str) -> None:
        """A statement that is no event."""
        self._execute(sql)
        self.statements += 1

    def actor(self) -> tuple[str, Event]:
        """SQL of an actor, and the same as it stands in an audit event."""
        n = self.rng.randint(1, 40)
        if self.rng.random() < 0.7:
            user = {"id": f"user_{n}", "email": f"u{n}@example.com"}
            session = {"user": user, "ip_address": f"203.0.113.{n}", "user_agent": "Mozilla/5.0"}
            return f"app.by_session({n})", {"type": "session", "session": session}
        key = {"id": f"key_{n}", "type": "service_account", "service_account": {"id": f"svc_{n}"}}
        return f"app.by_key({n})", {"type": "api_key", "api_key": key}

    def did(self, sql: str, kind: str, payload: Event, actor: Event) -> None:
        """One statement and then its event, which tells the project that is worked on."""
        self.run(sql)
        event = {
            "id": f"audit_log-{self.ids.getrandbits(96):024x}",
            "type": kind,
            "effective_at": int(time.time()),
            "actor": actor,
            kind: payload,
        }
        if self.project is not None:
            event["project"] = {"id": self.project, "name": self.project}
        service = "accounts" if kind.split(".", maxsplit=1)[0] in ACCOUNTS else "platform"
        self.audit.append({"service": service, "event": event})

    def insert(self, table: str, kind: str, payload: Event, **columns: str) -> None:
        """Create a row."""
        by, actor = self.actor()
        names = ", ".join(columns)
        values = ", ".join(columns.values())
        self.did(
            f"INSERT INTO app.{table} ({names}, created_by) VALUES ({values}, {by});",
            kind,
            payload,
            actor,
        )

    def update(self, table: str, where: str, kind: str, payload: Event, change: str) -> None:
        """Change a row; the column updated_by is cleared first, so that it is always written."""
        by, actor = self.actor()
        self.run(f"UPDATE app.{table} SET updated_by = NULL WHERE {where};")
        self.did(
            f"UPDATE app.{table} SET {change}, updated_by = {by} WHERE {where};",
            kind,
            payload,
            actor,
        )

    def soft_delete(self, table: str, where: str, kind: str, payload: Event) -> None:
        """Mark a row as deleted."""
        by, actor = self.actor()
        self.did(
            f"UPDATE app.{table} SET deleted_at = now(), deleted_by = {by} WHERE {where};",
            kind,
            payload,
            actor,
        )

    def delete(self, table: str, where: str, kind: str, payload: Event) -> None:
        """Remove a row: nothing in the database says who did, only the event."""
        _, actor = self.actor()
        self.did(f"DELETE FROM app.{table} WHERE {where};", kind, payload, actor)


def scopes(app: Application) -> list[str]:
    """Some scopes."""
    return app.rng.sample(
        ["read", "write", "models", "files", "admin", "usage"], app.rng.randint(1, 4)
    )


def array(values: list[str]) -> str:
    """As SQL."""
    return "'{" + ",".join(values) + "}'"


def work(app: Application) -> None:
    """Three months in a minute: every kind of event, most rows changed several times."""
    app.run("INSERT INTO app.organization (id, name, title) VALUES ('org_1', 'acme', 'Acme');")
    for n in range(1, 13):
        app.project = f"proj_{n}"
        _project(app, app.project)
    app.project = None
    for n in range(6):
        title = f"Acme {n}"
        requested = {"changes_requested": {"title": title}}
        app.update(
            "organization",
            "id = 'org_1'",
            "organization.updated",
            {"id": "org_1", **requested},
            f"title = '{title}'",
        )
    for n in range(1, 21):
        _invite(app, n)


def _project(app: Application, project: str) -> None:
    title = project.replace("_", " ").title()
    app.insert(
        "project",
        "project.created",
        {"id": project, "data": {"name": project, "title": title}},
        id=f"'{project}'",
        organization_id="'org_1'",
        name=f"'{project}'",
        title=f"'{title}'",
    )
    for n in range(app.rng.randint(2, 4)):
        _key(app, project, f"key_{project}_{n}")
    _service_account(app, project, f"svc_{project}")
    for n in app.rng.sample(range(1, 41), 3):
        _member(app, project, f"user_{n}")
    _limits(app, project, f"rl_{project}")
    if app.rng.random() < 0.5:
        new = {"id": project, "changes_requested": {"title": f"{title}!"}}
        app.update("project", f"id = '{project}'", "project.updated", new, f"title = '{title}!'")
    if app.rng.random() < 0.25:
        app.soft_delete("project", f"id = '{project}'", "project.deleted", {"id": project})


def _key(app: Application, project: str, key: str) -> None:
    now = scopes(app)
    app.insert(
        "api_key",
        "api_key.created",
        {"id": key, "data": {"scopes": now}},
        id=f"'{key}'",
        project_id=f"'{project}'",
        name=f"'{key}'",
        scopes=array(now),
    )
    for _ in range(app.rng.randint(0, 5)):
        new = scopes(app)
        if new == now:
            continue
        now = new
        payload = {"id": key, "changes_requested": {"scopes": new}}
        app.update("api_key", f"id = '{key}'", "api_key.updated", payload, f"scopes = {array(new)}")
    if app.rng.random() < 0.4:
        app.soft_delete("api_key", f"id = '{key}'", "api_key.deleted", {"id": key})


def _service_account(app: Application, project: str, account: str) -> None:
    app.insert(
        "service_account",
        "service_account.created",
        {"id": account, "data": {"role": "member"}},
        id=f"'{account}'",
        project_id=f"'{project}'",
        role="'member'",
    )
    for role in ("owner", "member")[: app.rng.randint(0, 2)]:
        new = {"id": account, "changes_requested": {"role": role}}
        app.update(
            "service_account",
            f"id = '{account}'",
            "service_account.updated",
            new,
            f"role = '{role}'",
        )
    if app.rng.random() < 0.3:
        app.soft_delete(
            "service_account", f"id = '{account}'", "service_account.deleted", {"id": account}
        )


def _member(app: Application, project: str, user: str) -> None:
    where = f"project_id = '{project}' AND user_id = '{user}'"
    columns = {"project_id": f"'{project}'", "user_id": f"'{user}'", "role": "'member'"}
    app.insert("project_user", "user.added", {"id": user, "data": {"role": "member"}}, **columns)
    if app.rng.random() < 0.5:
        new = {"id": user, "changes_requested": {"role": "owner"}}
        app.update("project_user", where, "user.updated", new, "role = 'owner'")
    if app.rng.random() < 0.3:
        app.delete("project_user", where, "user.deleted", {"id": user})


def _limits(app: Application, project: str, limit: str) -> None:
    app.insert(
        "rate_limit",
        "rate_limit.updated",
        {"id": limit, "changes_requested": {"max_requests_per_1_minute": 60}},
        id=f"'{limit}'",
        project_id=f"'{project}'",
        model="'model-a'",
        max_requests_per_1_minute="60",
    )
    for n in range(app.rng.randint(1, 4)):
        tokens = 1000 * (n + 1)
        new = {"id": limit, "changes_requested": {"max_tokens_per_1_minute": tokens}}
        app.update(
            "rate_limit",
            f"id = '{limit}'",
            "rate_limit.updated",
            new,
            f"max_tokens_per_1_minute = {tokens}",
        )
    if app.rng.random() < 0.3:
        app.delete("rate_limit", f"id = '{limit}'", "rate_limit.deleted", {"id": limit})


def _invite(app: Application, n: int) -> None:
    data = {"email": f"new{n}@example.com", "role": "reader"}
    columns = {"id": str(n), "email": f"'{data['email']}'", "role": "'reader'"}
    app.insert("invite", "invite.sent", {"id": str(n), "data": data}, **columns)
    fate = app.rng.random()
    if fate < 0.5:
        app.update("invite", f"id = {n}", "invite.accepted", {"id": str(n)}, "status = 'accepted'")
    elif fate < 0.7:
        app.soft_delete("invite", f"id = {n}", "invite.deleted", {"id": str(n)})
    elif fate < 0.9:
        app.run(f"UPDATE app.invite SET status = 'expired' WHERE id = {n};")


def record(state: StateFolder, changes: int) -> list[str]:
    """All messages of the connector's topics as JSON lines, once every row change is among them."""
    consumer = Consumer(
        {"bootstrap.servers": f"127.0.0.1:{state.port('kafka')}", "group.id": "record"}
    )
    lines: list[tuple[int, str, int, str]] = []
    deadline = time.monotonic() + 60
    while sum('"row"' in line for *_, line in lines) < changes:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(lines)} messages came")
        lines.clear()
        topics = [t for t in consumer.list_topics(timeout=10).topics if t.startswith(NAME + ".")]
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])
        while (message := consumer.poll(2)) is not None:
            lines.append(_line(message))
    consumer.close()
    return [line.replace(', "kind": "row"', "") for *_, line in sorted(lines)]


def _line(message: Any) -> tuple[int, str, int, str]:
    at, topic, offset, line = dumped(message)
    if message.value() and b'"op":' in message.value():
        line = line[:-1] + ', "kind": "row"}'
    return at, topic, offset, line


def dumped(message: Any) -> tuple[int, str, int, str]:
    """Where a message belongs in a recording, and the line that it is there."""

    def text(data: bytes | None) -> str | None:
        return None if data is None else base64.b64encode(data).decode()

    line = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "timestamp_type": "CreateTime",
        "headers": [[name, text(value)] for name, value in message.headers() or ()],
        "key": text(message.key()),
        "value": text(message.value()),
    }
    return message.timestamp()[1], message.topic(), message.offset(), json.dumps(line)


def main() -> None:
    """Record both files."""
    with tempfile.TemporaryDirectory() as folder:
        state = StateFolder(Path(folder))
        try:
            stack.up(state, [*parts.PARTS])
            _connector(state)
            where = f"host=127.0.0.1 port={state.port('postgres')} user=postgres"
            with psycopg.connect(f"{where} dbname={parts.DATABASE}", autocommit=True) as database:
                app = Application(2026, database.execute)
                work(app)
            lines = record(state, app.statements)
        finally:
            stack.down(state, [*parts.PARTS])
            stack.purge(state)
    OUT.mkdir(exist_ok=True)
    for name, content in (
        ("incident.stream.jsonl.gz", lines),
        ("incident.audit.jsonl.gz", [json.dumps(line) for line in app.audit]),
    ):
        (OUT / name).write_bytes(gzip.compress("\n".join(content).encode(), 9, mtime=0))
        print(f"{name}: {len(content)} lines")


def _connector(state: StateFolder) -> None:
    config = json.loads((Path(__file__).parent / "debezium-postgres.json").read_text())
    config |= {"database.port": str(state.port("postgres")), "database.dbname": parts.DATABASE}
    config |= {"topic.prefix": NAME, "heartbeat.interval.ms": "0"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{state.port('connect')}/connectors",
        data=json.dumps({"name": NAME, "config": config}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()
    deadline = time.monotonic() + 60
    while parts.psql(state, "SELECT active FROM pg_replication_slots") != "t":
        if time.monotonic() > deadline:
            raise SystemExit("the connector does not stream")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
