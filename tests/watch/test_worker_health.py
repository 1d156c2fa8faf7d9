"""Workers that are asked whether they are well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.answering import Answering, answering

from cdc_archive.watch.page import Page
from cdc_archive.watch.worker_health import WorkerHealth, Workers

SECOND = 1_000_000


@pytest.fixture
def worker() -> Iterator[Answering]:
    with answering() as one:
        yield one


class Asked:
    """One worker, and a clock that is told to move."""

    def __init__(self, url: str) -> None:
        self.now = 1_000 * SECOND
        health = WorkerHealth(Page(url, 0.5), lambda: self.now)
        self.workers = Workers([health], 60 * SECOND)

    def look(self, after_s: int) -> list[str]:
        """Summaries of what holds after another look."""
        self.now += after_s * SECOND
        self.workers.looks[0]()
        return [one.summary for one in self.workers.conditions(self.now)]


def test_a_worker_that_is_well_is_none(worker: Answering) -> None:
    """However long it takes until the first look."""
    assert Asked(worker.url).look(3_600) == []


def test_a_worker_that_says_503_for_long_is_an_alarm_with_its_reasons(worker: Answering) -> None:
    """And none any more when it is well again."""
    asked = Asked(worker.url)
    asked.look(1)
    worker.status, worker.text = 503, '{"ok": false, "wrong": ["pg.app.t[0]: no commit"]}'
    assert asked.look(60) == []
    (summary,) = asked.look(1)
    assert summary == (
        f"1 of 1 workers are not well, {worker.url} for 61 s: HTTP 503: pg.app.t[0]: no commit"
    )
    worker.status = 200
    assert asked.look(1) == []


@pytest.mark.parametrize("text", ["", "[]", '{"wrong": 1}', "not JSON"])
def test_an_answer_of_another_form_is_no_failure(worker: Answering, text: str) -> None:
    """A proxy may have given it."""
    asked = Asked(worker.url)
    worker.status, worker.text = 502, text
    (summary,) = asked.look(61)
    assert summary.endswith("HTTP 502")


def test_a_worker_that_does_not_answer_is_an_alarm(worker: Answering) -> None:
    """Critical, of no type and no service."""
    asked = Asked(worker.url)
    worker.status = 0
    (summary,) = asked.look(61)
    assert "no answer" in summary
    (condition,) = asked.workers.conditions(asked.now)
    assert condition[:4] == ("worker", "", "", "critical")
