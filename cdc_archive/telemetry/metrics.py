"""The worker's metrics, in Prometheus terms. Names and labels are a contract: see the README."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """All metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = self._counter("messages", "Messages archived, by op.", "topic", "op")
        self.quarantined = self._counter(
            "quarantined", "Messages kept in quarantine, by reason.", "topic", "reason"
        )
        self.skipped = self._counter("skipped", "Messages that the settings leave out.", "topic")
        self.commits = self._counter(
            "commits", "Commits made, by what caused them.", "topic", "reason"
        )
        self.committed_messages = self._counter(
            "committed_messages", "Offsets accounted for by commits.", "topic"
        )
        self.committed_bytes = self._counter("committed_bytes", "Bytes of data files.", "topic")
        self.files = self._counter("files", "Data files committed.", "topic")
        self.fenced = self._counter(
            "fenced", "Commits that another writer had made already.", "topic"
        )
        self.store_retries = self._counter("store_retries", "Requests to the store made again.")
        self.commit_seconds = Histogram(
            "cdc_archive_commit_seconds",
            "From sealing a batch to its commit.",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.buffered_bytes = self._gauge("buffered_bytes", "Bytes held in memory.")
        self.open_files = self._gauge("open_files", "Data files held in memory.")
        self.paused = self._gauge("paused", "1 while reading is paused for memory.")
        self.assigned = self._gauge("assigned_partitions", "Topic partitions owned.")
        self.lag = self._gauge("lag", "Messages not read yet.", "topic", "partition")
        self.waited = self._gauge(
            "waiting_seconds", "How long messages wait without a commit.", "topic", "partition"
        )
        self.committed_offset = self._gauge(
            "committed_offset", "Next offset after the last commit.", "topic", "partition"
        )
        self.last_commit = self._gauge(
            "last_commit_timestamp_seconds", "When the last commit was made.", "topic", "partition"
        )
        self.event_delay = self._gauge(
            "event_delay_seconds",
            "From the newest change in the last commit to that commit.",
            "topic",
            "partition",
        )

        self.digests_sealed = self._counter("digests_sealed", "Hours sealed, by any worker.")
        self.seal_errors = self._counter("digest_seal_errors", "Attempts to seal that failed.")
        self.last_digest = self._gauge(
            "last_digest_timestamp_seconds", "End of the last hour that is sealed."
        )
        self.last_step = self._gauge(
            "last_step_timestamp_seconds", "When the worker's loop turned last; old: it hangs."
        )

    def forget(self, topic: str, partition: str) -> None:
        """Show no more of a topic partition: another worker owns it now, and shows it."""
        for gauge in (
            self.lag,
            self.waited,
            self.committed_offset,
            self.last_commit,
            self.event_delay,
        ):
            gauge.remove(topic, partition)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"cdc_archive_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"cdc_archive_{name}", meaning, labels, registry=self.registry)
