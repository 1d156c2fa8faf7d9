"""Brings together what the doctor looks at: facts from the edges, findings from the rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from re import fullmatch
from tempfile import TemporaryDirectory

from cdc_archive.archive.reader import standing
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.standing import Standing
from cdc_archive.archive.reader.window import Window
from cdc_archive.archive.writer.root import PROBE_KEY
from cdc_archive.audit.mapping import Mapping as AuditMapping
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.cli import doctor_wiring, wiring
from cdc_archive.config.settings import KafkaSettings, Settings, StoreSettings
from cdc_archive.doctor import actors, archive, bucket, connector, folder, postgres, topics
from cdc_archive.doctor import settings as settings_rules
from cdc_archive.doctor.actors import ActorFacts
from cdc_archive.doctor.finding import Finding
from cdc_archive.doctor.looking import guarded, not_configured, unreachable
from cdc_archive.doctor.settings import SettingsFacts
from cdc_archive.errors import (
    ArchiveDamaged,
    ArchiveMissing,
    CdcArchiveError,
    Retry,
    SourceUnreachable,
)
from cdc_archive.replay import trial
from cdc_archive.replay.coverage import coverage
from cdc_archive.replay.run import read_row
from cdc_archive.source.cluster_look import look
from cdc_archive.source.connector import ConnectorFacts

_PROBE = b"created once\n"
_HOUR_US = 3_600_000_000


class Looks:
    """Looks at one subject after the other.

    Args:
        settings: what is configured.
        faults: what `config check` has to say of the settings.
        rules: the mapping whose actors are counted.
        sample_hours: of the archive's end.
    """

    def __init__(
        self, settings: Settings, faults: list[str], rules: AuditMapping, sample_hours: float
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._rules = rules
        self._hours = sample_hours

    def findings(self, subject: str) -> list[Finding]:
        """What is found of a subject; a failure to look is a finding."""
        looks: Mapping[str, Callable[[], Iterable[Finding]]] = {
            "settings": self._of_settings,
            "postgres": self._postgres,
            "connect": self._connect,
            "kafka": self._kafka,
            "bucket": self._bucket,
            "archive": self._archive,
            "actors": self._actors,
        }
        return guarded(subject, looks[subject])

    @cached_property
    def _connectors(self) -> list[ConnectorFacts]:
        return doctor_wiring.connectors(self._settings.doctor)

    def _known_connectors(self) -> list[ConnectorFacts]:
        """For other subjects; that they cannot be had is told with their own."""
        try:
            return self._connectors
        except CdcArchiveError:
            return []

    @cached_property
    def _reader(self) -> ArchiveReader:
        store = self._settings.store
        assert store is not None
        return wiring.open_reader(_impatient(self._settings, store))

    @cached_property
    def _standing(self) -> Standing:
        return standing.take(self._reader, datetime.now(UTC))

    def _of_settings(self) -> Iterator[Finding]:
        settings = self._settings
        kafka, worker = settings.kafka, settings.worker
        facts = SettingsFacts(
            faults=self._faults,
            commit_age_s=settings.archive.commit_age_seconds,
            shutdown_s=worker.shutdown_deadline_seconds,
            skip_topics=settings.decode.skip_topics,
            http_host=worker.http_host,
            http_port=worker.http_port,
        )
        if kafka is not None:
            facts = facts._replace(
                session_timeout_ms=kafka.session_timeout_ms,
                max_poll_interval_ms=kafka.max_poll_interval_ms,
                isolation=kafka.isolation_level,
                plain_kafka=not kafka.security_protocol.endswith("SSL"),
            )
        return settings_rules.findings(facts)

    def _postgres(self) -> Iterator[Finding]:
        doctor = self._settings.doctor
        if doctor.postgres_dsn is None:
            yield not_configured("postgres", "doctor.postgres_dsn")
            return
        facts = doctor_wiring.database(doctor)
        ours = [one for one in self._known_connectors() if one.is_postgres]
        yield from postgres.findings(facts, ours)

    def _connect(self) -> Iterator[Finding]:
        doctor = self._settings.doctor
        if doctor.connect_url is None and not doctor.connector_files:
            yield not_configured("connect", "doctor.connect_url or doctor.connector_files")
            return
        yield from connector.findings(self._connectors)

    def _kafka(self) -> Iterator[Finding]:
        kafka = self._settings.kafka
        if kafka is None:
            yield not_configured("kafka", "kafka.bootstrap_servers (with kafka.topics)")
            return
        heads, why = self._heads()
        admin = wiring.cluster_admin(kafka)
        try:
            now_ms = time.time_ns() // 1_000_000
            wants, named = _wanted(kafka), kafka.topics
            facts = look(admin, wants, named, kafka.group_id, heads, now_ms)
        except Retry as error:
            raise SourceUnreachable(error.what) from None
        finally:
            admin.close()
        servers = ",".join(kafka.bootstrap_servers)
        facts = facts._replace(servers=servers, unseen={**facts.unseen, **why})
        yield from topics.findings(facts, self._known_connectors(), kafka.session_timeout_ms)

    def _heads(self) -> tuple[dict[TopicPartition, int], dict[str, str]]:
        if self._settings.store is None:
            return {}, {"archive": "store.url is not set"}
        try:
            chains = self._standing.chains
        except ArchiveMissing:
            return {}, {}
        except CdcArchiveError as error:
            return {}, {"archive": error.what}
        return {one: chain.next_offset for one, chain in chains.items()}, {}

    def _bucket(self) -> Iterator[Finding]:
        store = self._settings.store
        if store is None:
            yield not_configured("bucket", "store.url")
            return
        opened = wiring.open_store(_impatient(self._settings, store))
        opened.check()
        yield from self._probe(store)
        if store.is_s3:
            yield from bucket.findings(doctor_wiring.bucket(self._settings))
        else:
            yield from folder.findings(doctor_wiring.folder(store))

    def _probe(self, store: StoreSettings) -> Iterator[Finding]:
        """The probe that each worker makes at its start, always of the same bytes."""
        opened = wiring.open_store(_impatient(self._settings, store))
        try:
            overwrites = opened.create(PROBE_KEY, _PROBE) and opened.create(PROBE_KEY, _PROBE)
        except CdcArchiveError as error:
            yield from bucket.unseen_probe(error.what)
            return
        yield bucket.of_probe(overwrites=overwrites, where=store.url)

    def _archive(self) -> Iterator[Finding]:
        if self._settings.store is None:
            yield not_configured("archive", "store.url")
            return
        try:
            found = self._standing
        except ArchiveMissing as error:
            yield archive.not_begun(error.what)
            return
        except ArchiveDamaged as error:
            yield archive.damaged(error.what)
            return
        now = datetime.now(UTC)
        yield from archive.findings(found, now, seals=self._settings.digest.seal)

    def _actors(self) -> Iterator[Finding]:
        if self._settings.store is None:
            yield not_configured("actors", "store.url")
            return
        try:
            chains = self._standing.chains.values()
        except ArchiveMissing as error:
            yield unreachable("actors", error)
            return
        newest = max((one.newest_event_us or 0 for one in chains), default=0)
        window = Window(newest - round(self._hours * _HOUR_US), newest + 1)
        with (
            TemporaryDirectory(prefix="cdc-archive-doctor-") as place,
            trial.opened(
                self._reader, self._rules, read_row(self._rules), Path(place), window
            ) as tried,
        ):
            facts = [
                ActorFacts(one.table, one.changes, one.with_actor, one.reasons, one.proofs)
                for one in coverage(tried, window)
            ]
        yield from actors.findings(facts, self._hours, self._rules.name)


def _wanted(kafka: KafkaSettings) -> Callable[[str], bool]:
    pattern = kafka.topic_pattern
    if pattern is None:
        return frozenset(kafka.topics).__contains__
    return lambda name: fullmatch(pattern, name) is not None


def _impatient(settings: Settings, store: StoreSettings) -> Settings:
    """A look does not wait five minutes for a store that is away."""
    patience = min(store.retry_seconds, settings.doctor.timeout_seconds)
    return settings.model_copy(
        update={"store": store.model_copy(update={"retry_seconds": patience})}
    )
