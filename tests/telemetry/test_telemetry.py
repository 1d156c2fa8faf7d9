"""Logs without secrets, metrics by contract, health over HTTP."""

from __future__ import annotations

import io
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import structlog

from cdc_archive.errors import Stop
from cdc_archive.telemetry import logs
from cdc_archive.telemetry.http import HealthServer
from cdc_archive.telemetry.metrics import Metrics

MARKER = "m4rk3r-of-a-secret"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def written(form: str = "json") -> list[dict]:
    stream = io.StringIO()
    logs.configure("info", form, [MARKER], stream)
    structlog.get_logger("ours").info("said", value=MARKER, many=[MARKER, 1], error=OSError(MARKER))
    logging.getLogger("theirs").warning("heard %s", MARKER)
    logging.getLogger("kafka.client").info("chatter")
    try:
        int(MARKER)
    except ValueError:
        logging.getLogger("theirs").exception("failed")
    assert MARKER not in stream.getvalue()
    return [json.loads(line) for line in stream.getvalue().splitlines()] if form == "json" else []


def test_logs_are_json_lines_of_ours_and_of_libraries() -> None:
    """Time in UTC, level, logger, event; libraries below warning are not heard."""
    lines = written()
    assert [line["event"] for line in lines] == ["said", "heard ********", "failed"]
    assert lines[0]["level"] == "info"
    assert lines[0]["ts"].endswith("Z")
    assert lines[0]["many"] == ["********", 1]


def test_no_secret_is_written_to_a_terminal_either() -> None:
    """The same filter is before the coloured form."""
    written("console")


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_and_metrics_are_served() -> None:
    """200 or 503 with the reasons; metrics in Prometheus' text form."""
    metrics, wrong = Metrics(), ["t[0]: no commit for 400 s while 7 messages wait"]
    metrics.commits.labels("t", "age").inc()
    server = HealthServer("127.0.0.1", 0, metrics.registry, lambda: wrong, list)
    try:
        status, body = get(server.port, "/healthz")
        assert (status, json.loads(body)) == (503, {"ok": False, "wrong": wrong})
        assert get(server.port, "/readyz")[0] == 200
        assert get(server.port, "/nothing")[0] == 404
        shown = get(server.port, "/metrics")[1]
        assert 'cdc_archive_commits_total{reason="age",topic="t"} 1.0' in shown
    finally:
        server.close()


def test_a_port_in_use_names_the_setting() -> None:
    """The worker does not run unseen."""
    first = HealthServer("127.0.0.1", 0, Metrics().registry, list, list)
    try:
        with pytest.raises(Stop, match=r"worker\.http_port"):
            HealthServer("127.0.0.1", first.port, Metrics().registry, list, list)
    finally:
        first.close()
