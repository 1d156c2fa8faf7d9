"""Puts the program together from settings. The only module that names concrete parts."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from re import compile as pattern
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import SecretStr

from cdc_archive import __version__
from cdc_archive.archive.format.archive_info import PROGRAM
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.config.settings import KafkaSettings, Settings, StoreSettings
from cdc_archive.errors import ConfigInvalid
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.storage.retry import Patience, RetryingStore
from cdc_archive.telemetry import logs

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from cdc_archive.archive.format.commit import Writer
    from cdc_archive.archive.reader.quarantine import Asked
    from cdc_archive.archive.writer.batch import Batch, Follows
    from cdc_archive.archive.writer.committer import Committer, RunAll
    from cdc_archive.archive.writer.open_file import Beside, FileFormat
    from cdc_archive.archive.writer.recovery import Outcome
    from cdc_archive.archive.writer.sealing import Sealer
    from cdc_archive.signing.signer import Signer
    from cdc_archive.sinks.sink import Sink
    from cdc_archive.source.cluster import ClusterAdmin
    from cdc_archive.source.options import KafkaOptions
    from cdc_archive.source.reading import TopicReader
    from cdc_archive.source.source import Source
    from cdc_archive.storage.s3 import S3Options
    from cdc_archive.worker.limits import Limits
    from cdc_archive.worker.observed import Observed
    from cdc_archive.worker.owned import OpenBatch
    from cdc_archive.worker.worker import Worker

_TOPIC_PATIENCE_S: Final = 300.0
"""How long a worker with something to commit waits for a broker to answer."""

_COMPRESSING_THREADS: Final = 2
_BLOCKS_WAITING: Final = 64
"""As many uncompressed blocks wait for those threads, 16 MiB at most by default, before the polling
thread compresses too: on a crowded machine they would fill the memory budget."""


def open_store(settings: Settings, on_retry: Callable[[], None] = lambda: None) -> ObjectStore:
    """The store that `store.url` names, with patience; what it waits for is told on stderr."""
    assert settings.store is not None
    return store_of(settings.store, on_retry)


def store_of(store: StoreSettings, on_retry: Callable[[], None] = lambda: None) -> ObjectStore:
    """The same of any settings of a store."""
    if not structlog.is_configured():  # in a command that is no service, and in its processes
        secrets = (_open(store.secret_access_key), _open(store.session_token))
        logs.configure("warning", "auto", [secret for secret in secrets if secret])
    inner = _s3(store) if store.is_s3 else _local(store)
    return RetryingStore(inner, Patience(store.retry_seconds, on_retry=on_retry))


def _s3(store: StoreSettings) -> ObjectStore:
    from cdc_archive.storage.s3 import S3Store

    url, key = urlsplit(store.url), store.sse_kms_key_id
    return S3Store(_client(store), url.netloc, url.path, sse=store.sse, kms_key_id=key)


def s3_client(settings: Settings) -> S3Client:
    """The plain client of `store.url`."""
    assert settings.store is not None
    return _client(settings.store)


def _client(store: StoreSettings) -> S3Client:
    from cdc_archive.storage.s3 import client

    try:
        return client(s3_options(store))
    except ValueError as error:
        kind = type(error).__name__  # its text repeats the value
        raise ConfigInvalid(f"store.endpoint_url or store.region is wrong ({kind})") from None


def s3_options(store: StoreSettings) -> S3Options:
    """How the settings say to reach the store."""
    from cdc_archive.storage.s3 import S3Options

    return S3Options(
        store.endpoint_url,
        store.region,
        store.access_key_id,
        _open(store.secret_access_key),
        _open(store.session_token),
        store.path_style,
        store.connect_timeout_seconds,
        store.read_timeout_seconds,
        store.max_connections,
        store.ca_file,
    )


def _local(store: StoreSettings) -> ObjectStore:
    from cdc_archive.storage.local import LocalStore

    return LocalStore(folder(store))


def folder(store: StoreSettings) -> Path:
    """The folder that `store.url` names."""
    path = store.url
    return Path(unquote(path.removeprefix("file://")) if "://" in path else path)


def open_reader(settings: Settings) -> ArchiveReader:
    """The archive, open for reading."""
    store = open_store(settings)
    store.check()
    return ArchiveReader(store)


def open_copy(folder: Path) -> ObjectStore:
    """A downloaded archive; no settings are needed."""
    from cdc_archive.storage.local import LocalStore

    store = LocalStore(folder)
    store.check()
    return store


def log_held(kafka: KafkaSettings, partition: TopicPartition) -> OffsetRange:
    """What the log of a topic partition holds now."""
    from cdc_archive.source.kafka_log import held

    return held(_kafka_options(kafka), partition)


def _kafka_options(kafka: KafkaSettings) -> KafkaOptions:
    from cdc_archive.source.options import KafkaOptions

    return KafkaOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group_id,
        topics=kafka.topics,
        topic_pattern=kafka.topic_pattern,
        client_id=kafka.client_id,
        group_instance_id=kafka.group_instance_id,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=_open(kafka.sasl_password),
        ssl_ca_file=kafka.ssl_ca_file,
        ssl_cert_file=kafka.ssl_cert_file,
        ssl_key_file=kafka.ssl_key_file,
        ssl_key_password=_open(kafka.ssl_key_password),
        assignment=kafka.assignment,
        isolation_level=kafka.isolation_level,
        session_timeout_ms=kafka.session_timeout_ms,
        max_poll_interval_ms=kafka.max_poll_interval_ms,
        metadata_max_age_ms=kafka.metadata_max_age_ms,
        fetch_max_bytes=kafka.fetch_max_bytes,
        max_partition_fetch_bytes=kafka.max_partition_fetch_bytes,
        max_poll_records=kafka.max_poll_records,
        max_poll_bytes=kafka.max_poll_bytes,
        connect_timeout_s=kafka.connect_timeout_seconds,
        api_version=kafka.api_version,
    )


def kafka_source(kafka: KafkaSettings) -> Source:
    """The client that `kafka.client` names."""
    options = _kafka_options(kafka)
    if kafka.client == "kafka-python":
        from cdc_archive.source.kafka import KafkaSource

        return KafkaSource(options)
    _require_librdkafka()
    from cdc_archive.source.librdkafka import LibrdkafkaSource

    return LibrdkafkaSource(options)


def _require_librdkafka() -> None:
    if find_spec("confluent_kafka") is None:
        raise lacking("kafka.client is librdkafka, but confluent-kafka", "librdkafka")


def topic_reader(kafka: KafkaSettings) -> TopicReader:
    """What reads a topic outside any group, by the client that `kafka.client` names."""
    options = _kafka_options(kafka)
    if kafka.client == "kafka-python":
        from cdc_archive.source.kafka_reading import KafkaTopicReader

        return KafkaTopicReader(options)
    _require_librdkafka()
    from cdc_archive.source.librdkafka_reading import LibrdkafkaTopicReader

    return LibrdkafkaTopicReader(options)


def topic_sink(kafka: KafkaSettings, topic: str, *, mark: bool) -> Sink:
    """Writes events into a topic."""
    from cdc_archive.sinks.kafka import KafkaSink

    return KafkaSink(_kafka_options(kafka), topic, mark=mark)


def cluster_admin(kafka: KafkaSettings) -> ClusterAdmin:
    """What asks the cluster, by the client that `kafka.client` names."""
    if kafka.client == "kafka-python":
        from cdc_archive.source.kafka_admin import KafkaAdmin

        return KafkaAdmin(_kafka_options(kafka))
    _require_librdkafka()
    from cdc_archive.source.librdkafka_admin import LibrdkafkaAdmin

    return LibrdkafkaAdmin(_kafka_options(kafka))


def lacking(what: str, extra: str) -> ConfigInvalid:
    """The error that an extra is not installed."""
    return ConfigInvalid(f"{what} is not installed", f"Run: pip install 'cdc-archive[{extra}]'")


def recorded_source(paths: Sequence[Path]) -> Source:
    """Topic dumps."""
    from cdc_archive.source.recorded import RecordedSource

    return RecordedSource(paths)


def _open(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def limits(settings: Settings) -> Limits:
    """When to commit."""
    from cdc_archive.worker.limits import Limits

    archive = settings.archive
    return Limits(
        archive.commit_bytes,
        archive.commit_records,
        archive.commit_age_seconds,
        archive.hour_grace_seconds,
        archive.memory_budget_bytes,
    )


def writer_name() -> Writer:
    """Who this process is, for the commits that it makes."""
    from cdc_archive.archive.format.commit import Writer

    return Writer(PROGRAM, __version__, f"{socket.gethostname()}/{uuid.uuid4().hex[:12]}")


def committer(store: ObjectStore, run_all: RunAll | None = None) -> tuple[Committer, str]:
    """What writes commits to the archive in `store`, created if need be; and the archive's id."""
    from cdc_archive.archive.writer import root
    from cdc_archive.archive.writer.committer import Committer, one_by_one

    info = root.open_or_create(store, time.time, lambda: uuid.uuid4().hex)
    return Committer(store, info.id, writer_name(), time.time, run_all or one_by_one), info.id


def worker(settings: Settings, source: Source, store: ObjectStore, observed: Observed) -> Worker:
    """A worker, ready to run."""
    from cdc_archive.worker.assignment import Assignment
    from cdc_archive.worker.background import Background
    from cdc_archive.worker.checkpoint import Checkpoint
    from cdc_archive.worker.topics import Topics
    from cdc_archive.worker.worker import Worker

    threads = settings.worker.upload_threads
    commits, uploads = Background(threads, "commit"), Background(threads, "upload")
    blocks = Background(_COMPRESSING_THREADS, "compress", _BLOCKS_WAITING)
    writes, archive = committer(store, uploads.run_all)
    open_batch = _batches(settings, blocks.submit)

    def read_head(partition: TopicPartition) -> chain.Head | None:
        return chain.head(store, archive, partition)

    def first_count(partition: TopicPartition) -> int | None:
        return chain.first_count(store, archive, partition)

    clock, deadline = time.monotonic, settings.worker.shutdown_deadline_seconds
    topics = Topics(source, _TOPIC_PATIENCE_S, clock, time.sleep)
    checkpoint = Checkpoint(source, writes, read_head, commits.submit, observed, clock, topics)
    assignment = Assignment(
        source, checkpoint, read_head, open_batch, clock, deadline, topics, first_count
    )
    return Worker(
        source,
        assignment,
        checkpoint,
        limits(settings),
        observed,
        time.monotonic,
        poll_s=settings.worker.poll_seconds,
        stop_deadline_s=deadline,
        tell_every_s=0.5,
    )


def signer(settings: Settings) -> Signer | None:
    """The key that signs digests, None if none is configured."""
    digest = settings.digest
    if digest.key_file is not None:
        return key_file(Path(digest.key_file), _open(digest.key_password))
    if digest.kms_key_id is not None:
        return kms_key(settings, digest.kms_key_id)
    return None


def key_file(path: Path, password: str | None = None) -> Signer:
    """A private key in a file."""
    from cdc_archive.signing.key_file import KeyFile

    return KeyFile(path, password)


def kms_key(settings: Settings, key: str) -> Signer:
    """A private key in AWS KMS, asked with the store's credentials."""
    from cdc_archive.signing.kms import KmsKey, client

    store = settings.store
    assert store is not None
    secrets = (_open(store.secret_access_key), _open(store.session_token))
    return KmsKey(client(store.region, store.access_key_id, *secrets), key)


def sealer(settings: Settings, store: ObjectStore) -> Sealer:
    """What seals the hours of the archive in `store`."""
    from cdc_archive.archive.writer.sealing import Sealer

    info = ArchiveReader(store).info
    grace = settings.digest.grace_seconds
    return Sealer(store, info, writer_name(), time.time, signer(settings), grace)


def retries(settings: Settings, store: ObjectStore, asked: Asked) -> Iterator[Outcome]:
    """What becomes of the quarantine of each partition when it is decoded again."""
    from cdc_archive.archive.writer.recovery import Recovery
    from cdc_archive.decode.decoder import Decoder

    store.check()
    reader = ArchiveReader(store)
    decode = Decoder(settings.decode.flattened_topics).decode
    recovery = Recovery(store, committer(store)[0], decode, _form(settings))
    for partition in reader.partitions():
        if asked.topic is None or fnmatchcase(partition.topic, asked.topic):
            yield recovery.run(reader, partition, asked)


def _form(settings: Settings) -> FileFormat:
    from cdc_archive.archive.writer.open_file import FileFormat

    archive = settings.archive
    return FileFormat(archive.codec, archive.block_bytes, archive.key_statistics)


def _batches(settings: Settings, beside: Beside) -> OpenBatch:
    from cdc_archive.archive.writer.batch import Batch
    from cdc_archive.decode.decoder import Decoder

    decode, form = Decoder(settings.decode.flattened_topics).decode, _form(settings)
    skipped = [pattern(text) for text in settings.decode.skip_topics]

    def open_batch(partition: TopicPartition, start: int, follows: Follows) -> Batch:
        skip = any(one.fullmatch(partition.topic) for one in skipped)
        return Batch(partition, start, decode, form, skip=skip, follows=follows, beside=beside)

    return open_batch
