"""Connectors over HTTP, from a server that gives recorded answers, and out of files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cdc_archive.errors import SourceDenied, SourceInvalid, SourceUnreachable
from cdc_archive.source.connect import ConnectOptions, look, read_file
from cdc_archive.source.connector import ConnectorFacts

CLASS = "io.debezium.connector.postgresql.PostgresConnector"
CONFIG = {"connector.class": CLASS, "topic.prefix": "pg", "database.password": "hunter2hunter2"}
TRACE = "ConnectException: no\n\tat x\nCaused by: slot hunter2hunter2"
ANSWERS: dict[str, Any] = {
    "/connectors": ["pg", "sink"],
    "/connectors/pg/config": CONFIG,
    "/connectors/pg/status": {
        "name": "pg",
        "connector": {"state": "RUNNING", "worker_id": "127.0.0.1:55027"},
        "tasks": [{"id": 0, "state": "FAILED", "worker_id": "w", "trace": TRACE}],
        "type": "source",
    },
    "/connectors/pg/topics": {"pg": {"topics": ["pg.transaction", "pg.app.api_key"]}},
    "/connectors/sink/config": {"connector.class": "io.confluent.connect.s3.S3SinkConnector"},
    "/connector-plugins": [{"class": CLASS, "type": "source", "version": "3.6.3.Final"}],
}
"""As Kafka Connect 4.3.1 gave them."""


@contextmanager
def serving(answers: dict[str, Any], login: str | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = login is None or self.headers.get("Authorization") == login
            answer = answers.get(self.path) if allowed else None
            body = json.dumps(answer).encode()
            self.send_response(200 if answer is not None else 404 if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_connectors_of_debezium_are_looked_at_with_state_version_and_topics() -> None:
    """Others are left alone; no secret is kept, in the configuration or in a trace."""
    with serving(ANSWERS) as url:
        (one,) = look(ConnectOptions(url))
    assert (one.name, one.state, one.version) == ("pg", "RUNNING", "3.6.3.Final")
    assert one.topics == ("pg.app.api_key", "pg.transaction")
    assert (one.tasks[0].state, one.is_postgres, dict(one.unseen)) == ("FAILED", True, {})
    assert "Caused by: slot ********" in one.tasks[0].trouble
    assert "hunter2" not in repr(one)


@pytest.mark.parametrize("missing", ["status", "topics"])
def test_a_question_that_is_refused_is_remembered(missing: str) -> None:
    """The rest is there."""
    answers = {k: v for k, v in ANSWERS.items() if k != f"/connectors/pg/{missing}"}
    with serving(answers) as url:
        (one,) = look(ConnectOptions(url))
    assert list(one.unseen) == [missing]
    assert one.config["topic.prefix"] == "pg"


def test_a_version_that_nobody_tells_is_unknown() -> None:
    """As behind a proxy that hides it."""
    with serving({k: v for k, v in ANSWERS.items() if k != "/connector-plugins"}) as url:
        (one,) = look(ConnectOptions(url))
    assert one.version is None
    assert "version" in one.unseen


def test_a_login_is_sent_and_its_refusal_told_without_it() -> None:
    """Basic authentication."""
    with serving(ANSWERS, "Basic bWU6c2VjcmV0") as url:
        assert len(look(ConnectOptions(url, "me", "secret"))) == 1
        with pytest.raises(SourceDenied) as caught:
            look(ConnectOptions(url, "me", "wrong-secret"))
    assert "wrong-secret" not in str(caught.value)
    assert "wrong-secret" not in repr(ConnectOptions(url, "me", "wrong-secret"))


def test_what_is_no_kafka_connect_is_told_and_so_is_a_missing_connector() -> None:
    """By address and name."""
    with serving({"/connectors": {"not": "a list"}}) as url, pytest.raises(SourceUnreachable):
        look(ConnectOptions(url))
    with serving(ANSWERS) as url, pytest.raises(SourceInvalid, match="no connector pgg"):
        look(ConnectOptions(url), ["pgg"])
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1"):
        look(ConnectOptions("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CONFIG | {"name": "pg"}),
        json.dumps({"name": "pg", "config": CONFIG}),
        "# a comment\nname=pg\n" + "\n".join(f"{k} = {v}" for k, v in CONFIG.items()),
    ],
)
def test_a_file_is_read_in_each_of_its_forms(text: str, tmp_path: Path) -> None:
    """JSON with and without a wrapper, and properties."""
    file = tmp_path / "any.json"
    file.write_text(text)
    one = read_file(file)
    assert (one.name, one.get("topic.prefix"), one.state) == ("pg", "pg", None)
    assert set(one.unseen) == {"version", "status"}
    assert "hunter2" not in repr(one)


@pytest.mark.parametrize("text", ["[]", "nothing here", '{"name": "x"}'])
def test_a_file_that_is_no_connector_is_refused(text: str, tmp_path: Path) -> None:
    """With what it should be."""
    file = tmp_path / "any.json"
    file.write_text(text)
    with pytest.raises(SourceInvalid, match=r"no connector\.class"):
        read_file(file)
    with pytest.raises(SourceInvalid, match="cannot be read"):
        read_file(tmp_path / "none")


def test_defaults_and_providers_are_told_apart() -> None:
    """`${...}` is not a value."""
    one = ConnectorFacts("x", {"a": "${file:/x:y}", "b": "true"}, "f")
    assert one.is_provided("a")
    assert not one.is_provided("b")
    assert not one.is_provided("c")
