"""Puts a reconciliation together: what the words --published and --backfill name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.audit.mapping import Mapping
from cdc_archive.audit.table_names import fits_any
from cdc_archive.cli import wiring
from cdc_archive.config.reconcile_settings import ReconcileSettings
from cdc_archive.config.settings import KafkaSettings, Settings
from cdc_archive.errors import NothingFound
from cdc_archive.reconcile.api_log import Access, ApiLog
from cdc_archive.reconcile.bucket_log import BucketLog
from cdc_archive.reconcile.file_log import FileLog
from cdc_archive.reconcile.published import PublishedLog
from cdc_archive.reconcile.services import Rule, Services
from cdc_archive.reconcile.shape import Names, Shape
from cdc_archive.reconcile.topic_log import TopicLog
from cdc_archive.replay.asked import Asked
from cdc_archive.sinks.appended import AppendedLines
from cdc_archive.sinks.jsonl import JsonLines
from cdc_archive.sinks.marked import Marking
from cdc_archive.sinks.s3 import ObjectSink
from cdc_archive.sinks.sink import Sink
from cdc_archive.storage.object_store import ObjectStore

STDIO: Final = "-"
_TOPIC: Final = "kafka:"
_BUCKET: Final = "s3://"
_API: Final = ("https://", "http://")


class Log(NamedTuple):
    """A published log, and the word by which it was named."""

    name: str
    log: PublishedLog


class Parts:
    """Makes the parts of a reconciliation.

    Args:
        settings: `kafka` too, if a word names a topic.

    Attributes:
        services: whose events are whose.
        shape: reads published events.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        given = settings.reconcile
        self.services = Services(Rule(one.name, one.types, one.tables) for one in given.service)
        self.shape = Shape(_names(given), self.services)

    def logs(self, sources: Iterable[str], backfill: str | None) -> Iterator[Log]:
        """What the words name; and what lies already where a backfill will go."""
        words = list(dict.fromkeys(sources))
        files: set[Path] = set()
        for word in words:
            yield Log(word, self._log(word, files))
        if backfill is None or backfill == STDIO or _holds(words, backfill):
            return
        if is_topic(backfill) or backfill.startswith(_BUCKET):
            yield Log(backfill, self._log(backfill, files, may_be_empty=True))
        elif (path := Path(backfill)).exists() and path.resolve() not in files:
            yield Log(backfill, FileLog([path], self.shape))

    def sink(self, word: str, *, mark: bool) -> Sink:
        """Where a backfill goes."""
        if is_topic(word):
            return wiring.topic_sink(self._kafka(), word.removeprefix(_TOPIC), mark=mark)
        if word.startswith(_BUCKET):
            sink: Sink = ObjectSink(self._bucket(word))
        else:
            sink = JsonLines(sys.stdout.buffer) if word == STDIO else AppendedLines(Path(word))
        return Marking(sink) if mark else sink

    def _log(self, word: str, files: set[Path], *, may_be_empty: bool = False) -> PublishedLog:
        given = self._settings.reconcile
        if is_topic(word):
            reader, topic = wiring.topic_reader(self._kafka()), word.removeprefix(_TOPIC)
            return TopicLog(reader, topic, self.shape, given.service_header)
        if word.startswith(_BUCKET):
            return BucketLog(self._bucket(word), word, self.shape, empty=may_be_empty)
        if word.startswith(_API):
            token = given.http_token
            opened = None if token is None else token.get_secret_value()
            access = Access(opened, given.http_ca_file, patience_s=given.http_retry_seconds)
            return ApiLog(word, access, self.shape)
        if word == STDIO:
            return FileLog([sys.stdin.buffer], self.shape)
        found = [one for one in _files(word) if one.resolve() not in files]
        files.update(one.resolve() for one in found)
        return FileLog(found, self.shape)

    def _kafka(self) -> KafkaSettings:
        assert self._settings.kafka is not None
        return self._settings.kafka

    def _bucket(self, url: str) -> ObjectStore:
        assert self._settings.store is not None
        given, prefix = self._settings.reconcile, "s3_"
        own = {
            name.removeprefix(prefix): value
            for name, value in dict(given).items()
            if name.startswith(prefix) and value is not None
        }
        return wiring.store_of(self._settings.store.model_copy(update={**own, "url": url}))


def is_topic(word: str) -> bool:
    """Whether a word names a topic."""
    return word.startswith(_TOPIC)


def is_file(word: str) -> bool:
    """Whether a word names a file."""
    return word != STDIO and not word.startswith((_TOPIC, _BUCKET, *_API))


def provable(reader: ArchiveReader, rules: Mapping, asked: Asked) -> frozenset[str]:
    """Event types that are asked for, and whose every table in the archive is: those of which the
    changes prove either that an event happened or that it did not.
    """
    commits = (link.commit for link in reader.every_link())
    files = (
        file
        for commit in commits
        for file in (*commit.files, *(one for late in commit.recovered for one in late.files))
    )
    tables = {file.table for file in files if file.table}
    wanted: dict[str, set[bool]] = {}
    for rule in rules.rule:
        told = {asked.wants_table(one) for one in tables if fits_any(one, rule.tables)}
        wanted.setdefault(rule.type, set()).update(told)
    return frozenset(
        kind for kind, told in wanted.items() if told == {True} and asked.wants_type(kind)
    )


def _names(given: ReconcileSettings) -> Names:
    return Names(
        given.event,
        given.id,
        given.type,
        given.time,
        given.time_unit,
        given.payload,
        given.actor,
        given.project,
        given.service_path,
        given.resource,
    )


def _holds(words: list[str], backfill: str) -> bool:
    """Whether one of the logs is, or lies around, the place of a backfill in a bucket or topic."""
    folder = backfill.rstrip("/") + "/"
    return backfill in words or any(
        one.startswith(_BUCKET) and folder.startswith(one.rstrip("/") + "/") for one in words
    )


def _files(word: str) -> list[Path]:
    """A file, all files of a folder but the hidden ones, or what a pattern with wildcards finds."""
    path = Path(word)
    if path.is_dir():
        below = (one for one in path.rglob("*") if one.is_file())
        found = [one for one in below if not _is_hidden(one.relative_to(path))]
    elif path.exists():
        found = [path]
    else:
        pattern = str(path.relative_to(path.anchor))
        found = [one for one in Path(path.anchor).glob(pattern) if one.is_file()]
    if not found:
        raise NothingFound(
            f"there is no published log at {word}",
            "Name a file, a folder, a pattern with wildcards, s3://, https:// or kafka:TOPIC.",
        )
    return sorted(found)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
