"""What is wrong with a Debezium connector's configuration and state. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cdc_archive.doctor import known_losses, transforms
from cdc_archive.doctor.connector_settings import NO_ACTION, PAGE, SETTINGS
from cdc_archive.doctor.finding import Finding, error, note, passed, warning
from cdc_archive.source.connector import ConnectorFacts

_PROVIDED = note(
    "connect.provided",
    "The value stands with the worker's configuration provider; what it is cannot be looked at "
    "here.",
    "Apache Kafka documentation, Connect, `config.providers`",
)
_STATE = error("connect.state", "While it does not run, nothing is captured.")
_STATE_UNKNOWN = note("connect.state-unknown", "Whether the connector runs is not known.")
_CONVERTER = error(
    "connect.converter",
    "The archive decodes JSON; every message of another form goes to quarantine, whole.",
    "README, What is in the archive",
)
_CONVERTER_UNKNOWN = note(
    "connect.converter-unknown",
    "The worker's own converter is used, which its REST interface does not tell: messages that are "
    "not JSON would go to quarantine.",
)
_COLUMNS = warning(
    "connect.columns",
    "These columns are not in the archive as the database has them: left out, masked or cut. What "
    "they held, or who acted if it stood there, cannot be proven.",
    f"{PAGE}, `column.exclude.list`",
)
_KEY_COLUMNS = note(
    "connect.message-key",
    "A row's history is told by its message key. These columns must never change, and be unique.",
    f"{PAGE}, `message.key.columns`",
)
_AUTOSET = warning(
    "connect.replica-identity-autoset",
    "At each start the connector sets these tables back to an identity that keeps no whole image "
    "before a change.",
    f"{PAGE}, `replica.identity.autoset.values`",
)
_MESSAGES = warning(
    "connect.messages-left-out",
    "Logical messages tell who acted; those with other prefixes never reach the archive.",
    f"{PAGE}, `message.prefix.include.list`",
)
_SAME_PREFIX = error(
    "connect.same-prefix",
    "Two connectors write into the same topics: rows of two databases get mixed, and neither "
    "stream is in order.",
    f"{PAGE}, `topic.prefix`",
)
_OTHER_DATABASE = note(
    "connect.database-unseen",
    "The doctor looks into PostgreSQL only: whether the log of this database keeps whole rows, and "
    "for how long, is not known.",
    "Debezium documentation, MySQL connector, binlog_row_image and binlog_expire_logs_seconds",
)
NONE = error("connect.none", "No connector of Debezium is there: nothing is captured.")

_COLUMN_SETTINGS: Final = ("column.exclude.list", "column.include.list", "column.blacklist")
_COLUMN_PREFIXES: Final = ("column.mask.", "column.truncate.")


def mended(connector: ConnectorFacts, changes: Mapping[str, str | None]) -> str:
    """The command (or the file and what to write there) that sets settings; None removes one."""
    if not connector.where.startswith("http"):
        told = [f"{k}={v}" if v is not None else f"no {k}" for k, v in changes.items()]
        return f"In {connector.where}: {', '.join(told)}"
    url = f"{connector.where.rstrip('/')}/connectors/{connector.name}/config"
    return (
        f"curl -sS -X PATCH -H 'Content-Type: application/json' {shlex.quote(url)} "
        f"-d {shlex.quote(json.dumps(dict(changes)))}"
    )


def findings(connectors: Sequence[ConnectorFacts]) -> Iterator[Finding]:
    """What is wrong with the connectors, one after the other, and with them together."""
    if not connectors:
        yield NONE.found("no connector of Debezium", "Register one: see infra/local.")
    for connector in connectors:
        yield from _of_state(connector)
        yield from known_losses.findings(connector)
        if not connector.is_postgres:
            yield _OTHER_DATABASE.found(
                f"the connector is {connector.plugin}",
                "MySQL, MariaDB: binlog_row_image=FULL, and binlogs kept for a week or more.",
                connector.name,
            )
        found = [*_of_settings(connector), *_of_lists(connector)]
        found += [*_of_converters(connector), *transforms.findings(connector, mended)]
        yield from found
        if not any(one.severity in ("error", "warning") for one in found):
            yield passed("connect", "its settings lose nothing", connector.name)
    prefixes = [one.get("topic.prefix") or one.get("database.server.name") for one in connectors]
    for connector, prefix in zip(connectors, prefixes, strict=True):
        if prefix and prefixes.count(prefix) > 1:
            yield _SAME_PREFIX.found(
                f"topic.prefix {prefix} is that of another connector too",
                "Give each connector its own topic.prefix (its topics begin anew).",
                connector.name,
            )


def _of_state(connector: ConnectorFacts) -> Iterator[Finding]:
    if connector.state is None:
        why = connector.unseen.get("status", "nobody tells")
        yield _STATE_UNKNOWN.found(
            f"could not be looked at ({why}), so unknown: whether it runs",
            "Set doctor.connect_url.",
            connector.name,
        )
        return
    base = f"{connector.where.rstrip('/')}/connectors/{connector.name}"
    restart = f"curl -sS -X POST {shlex.quote(f'{base}/restart?includeTasks=true')}"
    resume = f"curl -sS -X PUT {shlex.quote(f'{base}/resume')}"
    stopped = connector.state in ("PAUSED", "STOPPED")
    if connector.state != "RUNNING":
        yield _STATE.found(
            f"the connector is {connector.state}", resume if stopped else restart, connector.name
        )
    failed = [task for task in connector.tasks if task.state not in ("RUNNING", "PAUSED")]
    for task in failed:
        yield _STATE.found(
            f"task {task.number} is {task.state}: {task.trouble or 'no reason is told'}",
            restart,
            connector.name,
        )
    if connector.state == "RUNNING" and not connector.tasks:
        yield _STATE.found("it runs without a task", restart, connector.name)
    elif connector.state == "RUNNING" and not failed:
        yield passed("connect", f"runs, with {len(connector.tasks)} task(s)", connector.name)


def _of_settings(connector: ConnectorFacts) -> Iterator[Finding]:
    version = known_losses.parsed(connector.version or "")
    for setting in SETTINGS:
        since = known_losses.parsed(setting.since or "")
        if setting.postgres_only and not connector.is_postgres:
            continue
        if since is not None and version is not None and version < since:
            continue
        if connector.is_provided(setting.key):
            yield _PROVIDED.found(
                f"{setting.key} is {connector.get(setting.key)}, so unknown: {setting.check.why}",
                f"See that it is {setting.better}.",
                connector.name,
            )
            continue
        value = connector.get(setting.key) or setting.default
        if setting.wrong(value.lower()):
            given = "" if setting.key in connector.config else " (the default)"
            yield setting.check.found(
                f"{setting.key} is {value}{given}",
                setting.first + mended(connector, {setting.key: setting.better}),
                connector.name,
            )
    beats = connector.get("heartbeat.interval.ms", "0") not in ("", "0")
    if beats and connector.is_postgres and not connector.get("heartbeat.action.query"):
        yield NO_ACTION.found(
            "heartbeat.action.query is not set",
            mended(connector, {"heartbeat.action.query": _BEAT}),
            connector.name,
        )


def _of_lists(connector: ConnectorFacts) -> Iterator[Finding]:
    for key in sorted(connector.config):
        if key in _COLUMN_SETTINGS or key.startswith(_COLUMN_PREFIXES):
            yield _of_columns(connector, key)
    if columns := connector.get("message.key.columns"):
        yield _KEY_COLUMNS.found(
            f"message.key.columns is {columns}",
            "See that each names columns that are unique and never change.",
            connector.name,
        )
    lowering = [
        one
        for one in connector.listed("replica.identity.autoset.values")
        if one.rpartition(":")[2].strip().upper() != "FULL"
    ]
    if lowering:
        yield _AUTOSET.found(
            f"replica.identity.autoset.values has {', '.join(lowering)}",
            mended(connector, {"replica.identity.autoset.values": r".*\..*:FULL"}),
            connector.name,
        )
    for key in ("message.prefix.include.list", "message.prefix.exclude.list"):
        if prefixes := connector.get(key):
            yield _MESSAGES.found(
                f"{key} is {prefixes}", mended(connector, {key: None}), connector.name
            )


def _of_columns(connector: ConnectorFacts, key: str) -> Finding:
    """The salt of a hash stands in the setting's name, and is not shown."""
    head, salt, _ = key.partition(".with.salt.")
    mend = f"Remove it from the configuration of {connector.name}."
    if not salt:
        mend = mended(connector, {key: None})
    return _COLUMNS.found(f"{head}{salt and '...'} is {connector.get(key)}", mend, connector.name)


def _of_converters(connector: ConnectorFacts) -> Iterator[Finding]:
    for key in ("key.converter", "value.converter"):
        name = connector.get(key)
        if not name:
            yield _CONVERTER_UNKNOWN.found(
                f"{key} is not set, so unknown: whether its messages can be decoded",
                mended(connector, {key: _JSON}),
                connector.name,
            )
        elif not name.endswith("JsonConverter") or "connect.json" not in name:
            yield _CONVERTER.found(
                f"{key} is {name}", mended(connector, {key: _JSON}), connector.name
            )


_BEAT: Final = "SELECT pg_logical_emit_message(false, 'heartbeat', now()::text)"
_JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
