"""A service's own count of events that it could not publish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from support.answering import Answering, answering

from cdc_archive.watch.page import Page
from cdc_archive.watch.publish_errors import PublishErrors, Scrape, Wanted, counters, rise

SECOND = 1_000_000
METRIC = Wanted("audit_publish_errors_total")


@pytest.fixture
def service() -> Iterator[Answering]:
    with answering() as one:
        yield one


class Watched:
    """A service of one instance, looked at by a clock that is told to move."""

    def __init__(self, url: str, most_per_s: float = 0.0, wanted: Wanted = METRIC) -> None:
        self.now = 1_000 * SECOND
        scrape = Scrape(Page(url, 0.5), wanted, 300 * SECOND, lambda: self.now)
        self.errors = PublishErrors("keys", [scrape], 300 * SECOND, most_per_s, 120 * SECOND)

    def look(self, after_s: int = 15) -> list[tuple[str, int]]:
        """Kinds and counts of what holds after another look."""
        self.now += after_s * SECOND
        for look in self.errors.looks:
            look()
        return [(one.kind, one.count) for one in self.errors.conditions(self.now)]


def told(errors: float) -> str:
    return f"# TYPE audit_publish_errors_total counter\naudit_publish_errors_total {errors}\n"


def test_a_counter_that_rises_is_an_alarm_until_the_window_is_over(service: Answering) -> None:
    """What it counted before the first look is old."""
    watched = Watched(service.url)
    service.text = told(40)
    assert watched.look() == []
    service.text = told(43)
    assert watched.look() == [("publish_errors", 3)]
    assert watched.errors.rate(watched.now) == 3 / 300
    assert watched.look(299) == [("publish_errors", 3)]
    assert watched.look(2) == []
    assert watched.errors.rate(watched.now) == 0


def test_a_rate_that_is_allowed_is_no_alarm(service: Answering) -> None:
    """And what is above it is one."""
    watched = Watched(service.url, most_per_s=3 / 300)
    service.text = told(0)
    watched.look()
    service.text = told(3)
    assert watched.look() == []
    service.text = told(4)
    assert watched.look() == [("publish_errors", 4)]


def test_a_counter_that_began_anew_counts_from_zero(service: Answering) -> None:
    """The service was started again."""
    watched = Watched(service.url)
    service.text = told(40)
    watched.look()
    service.text = told(2)
    assert watched.look() == [("publish_errors", 2)]


def test_a_restart_of_the_watch_is_no_alarm(service: Answering) -> None:
    """It does not know when the errors that it finds were made."""
    service.text = told(1_000)
    assert Watched(service.url).look() == []


def test_a_counter_that_appears_with_its_first_error_is_an_alarm(service: Answering) -> None:
    """Go's libraries show no labelled counter before."""
    watched = Watched(service.url)
    service.text = "# TYPE other gauge\nother 1\n"
    assert watched.look() == []
    service.text = told(1)
    assert watched.look() == [("publish_errors", 1)]


def test_a_metric_that_is_away_for_a_while_does_not_count_again(service: Answering) -> None:
    """It goes on from where it was."""
    watched = Watched(service.url)
    service.text = told(40)
    watched.look()
    service.text = ""
    assert watched.look() == []
    service.text = told(41)
    assert watched.look() == [("publish_errors", 1)]


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (200, "other 1\n", "no metric audit_publish_errors_total"),
        (200, "<html>sign in</html>", "no text of Prometheus"),
        (500, told(1), "HTTP 500"),
        (0, "", "no answer"),
    ],
)
def test_a_counter_that_cannot_be_read_for_long_is_a_warning(
    service: Answering, status: int, text: str, why: str
) -> None:
    """A broken monitor is itself an alarm; it ends with the first good look."""
    watched = Watched(service.url)
    service.text = told(0)
    watched.look()
    service.status, service.text = status, text
    assert watched.look(119) == []
    assert watched.look(2) == [("scrape", 1)]
    (condition,) = watched.errors.conditions(watched.now)
    assert (condition.service, condition.severity) == ("keys", "warning")
    assert why in condition.summary
    service.status, service.text = 200, told(0)
    assert watched.look() == []


def test_a_look_that_hangs_is_noticed_by_its_age(service: Answering) -> None:
    """Nobody has to be told by the thread that hangs."""
    watched = Watched(service.url)
    service.text = told(0)
    watched.look()
    later = watched.now + 121 * SECOND
    assert [one.kind for one in watched.errors.conditions(later)] == ["scrape"]


def test_no_credentials_of_an_address_are_told() -> None:
    """Neither a login nor a query."""
    watched = Watched("http://someone:hunter2@127.0.0.1:9/metrics?token=hunter2")
    watched.look(121)
    conditions = watched.errors.conditions(watched.now)
    assert conditions[0].examples[0].startswith("http://127.0.0.1:9/metrics: no answer")
    assert "hunter2" not in repr(conditions)


def test_only_series_with_the_wanted_labels_count() -> None:
    """A value may have wildcards; the library's own time of creation is no count."""
    registry = CollectorRegistry()
    family = Counter("audit_publish_errors", "", ["kind", "topic"], registry=registry)
    family.labels("refused", "audit.a").inc(2)
    family.labels("timeout", "audit.b").inc(3)
    family.labels("refused", "other").inc(4)
    text = generate_latest(registry).decode()
    assert sum((counters(text, METRIC) or {}).values()) == 9
    some = Wanted("audit_publish_errors", {"kind": "refused", "topic": "audit.*"})
    assert list((counters(text, some) or {}).values()) == [2]


def test_a_metric_without_series_yet_has_counted_nothing() -> None:
    """It is announced, so the name is right."""
    assert counters("# TYPE audit_publish_errors_total counter\n", METRIC) == {}
    assert counters("", METRIC) is None


def test_series_rise_each_by_itself() -> None:
    """One goes on, one began anew, one is new, one is gone."""
    a, b, c, d = ((("topic", name),) for name in "abcd")
    assert rise({a: 5, b: 9, d: 7}, {a: 6, b: 2, c: 3}) == 1 + 2 + 3
