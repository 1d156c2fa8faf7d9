"""The watch's metrics, in Prometheus terms.

Names and labels are a contract: infra/prometheus/rules.yaml and the dashboard ask for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.watch import findings
from cdc_archive.watch.message import Alert


class WatchMetrics:
    """All metrics of one watch, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._shown: set[tuple[str, ...]] = set()
        self.expected = self._of_events("expected", "Events that changes call for.")
        self.published = self._of_events("published", "Events published.")
        self.missing = self._of_events("missing", "Events that changes call for and nobody had.")
        self.unexpected = self._of_events("unexpected", "Events published that no change proves.")
        self.different = self._of_events("different", "Events that say other than their change.")
        self.duplicate = self._of_events("duplicate", "Events published again.")
        self.unattributed = self._of_events(
            "unattributed", "Changes whose actor could not be proven."
        )
        self._counters = {
            findings.EXPECTED: self.expected,
            findings.PUBLISHED: self.published,
            findings.MISSING: self.missing,
            findings.UNEXPECTED: self.unexpected,
            findings.DIFFERENT: self.different,
            findings.DUPLICATE: self.duplicate,
            findings.ACTOR_UNPROVEN: self.unattributed,
        }
        self.alerts = self._gauge(
            "alerts", "1 while an alert fires.", "kind", "type", "service", "severity"
        )
        self.sent = self._counter(
            "alerts_sent", "Messages to receivers: ok, failed, late.", "receiver", "outcome"
        )
        self.heartbeat = self._gauge(
            "heartbeat_timestamp_seconds", "When the last whole evaluation was made."
        )
        self.canary_age = self._gauge(
            "canary_age_seconds", "Age of the newest heartbeat row, by how far it came.", "stage"
        )
        self.lag = self._gauge("lag", "Messages not compared yet.", "topic", "partition")
        self.baseline_ratio = self._gauge(
            "baseline_ratio", "Events, as a share of what is usual now.", "type", "service"
        )
        self.publish_errors = self._gauge(
            "publish_errors_rate", "Errors of publishing a second, by the service.", "service"
        )
        self.state_age = self._gauge("state_age_seconds", "How long ago the state was kept.")

    def count(self, kind: str, type: str, service: str) -> None:  # noqa: A002  # the field's word
        """Count an event, or what was found of one; what has no series is not counted."""
        counter = self._counters.get(kind)
        if counter is not None:
            counter.labels(type, service).inc()

    def total(self, counter: Counter) -> int:
        """Of all types and services."""
        (family,) = counter.collect()
        return int(sum(one.value for one in family.samples if one.name.endswith("_total")))

    def lags(self, lags: Mapping[TopicPartition, int]) -> None:
        """Show these, and no others."""
        self.lag.clear()
        for one, lag in lags.items():
            self.lag.labels(one.topic, one.partition).set(lag)

    def ratios(self, ratios: Iterable[tuple[tuple[str, str], float]]) -> None:
        """Show these, and no others; of types, not of services as a whole."""
        self.baseline_ratio.clear()
        for (kind, service), ratio in ratios:
            self.baseline_ratio.labels(kind, service).set(ratio)

    def expect(self, receivers: Iterable[str]) -> None:
        """Show outcomes from the start: a series that begins with a failure has no increase."""
        for receiver in receivers:
            for outcome in ("ok", "failed", "late"):
                self.sent.labels(receiver, outcome)

    def outcome(self, receiver: str, is_ok: bool) -> None:
        """A message was taken, or was not."""
        self.sent.labels(receiver, "ok" if is_ok else "failed").inc()

    def fire(self, alerts: Iterable[Alert]) -> None:
        """Show these alerts, and no others; one that goes on is there at every moment."""
        series: set[tuple[str, ...]] = {(*one.identity, one.severity) for one in alerts}
        for one in series:
            self.alerts.labels(*one).set(1)
        for one in self._shown - series:
            self.alerts.remove(*one)
        self._shown = series

    def _of_events(self, name: str, meaning: str) -> Counter:
        return self._counter(name, meaning, "type", "service")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"cdc_archive_watch_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"cdc_archive_watch_{name}", meaning, labels, registry=self.registry)
