"""What the doctor says of a PostgreSQL database: server, slot, publication, tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdc_archive.doctor import slot, tables
from cdc_archive.doctor.captured import Captures
from cdc_archive.doctor.finding import Blind, Finding, error, note, passed, unseen, warning
from cdc_archive.source.connector import ConnectorFacts
from cdc_archive.source.database import DatabaseFacts, TableFacts

_UNSEEN = warning(
    "postgres.unseen", "What the doctor cannot look at, it cannot call well.", "docs/doctor.md"
)
_NO_HEARTBEAT_TABLE = error(
    "postgres.heartbeat-table",
    "The heartbeat's row is what moves the slot and proves the way to the archive; the connector "
    "fails, or beats in vain, when its table is not there or not captured.",
    "Debezium documentation, PostgreSQL connector, `heartbeat.action.query`",
)
_ASSUMED = note(
    "postgres.no-connector",
    "Which tables are captured, and the names of slot and publication, stand in the connector.",
)

_BLIND: Final = {
    "settings": Blind(
        "wal_level and the limits of slots", "GRANT pg_monitor TO the doctor's user;"
    ),
    "tables": Blind("replica identities", "GRANT pg_monitor TO the doctor's user;"),
    "publications": Blind("what is published", "GRANT pg_monitor TO the doctor's user;"),
    "slots": Blind("whether the slot holds", "GRANT pg_monitor TO the doctor's user;"),
    "sessions": Blind(
        "whether an open transaction holds the slot back", "GRANT pg_monitor TO the doctor's user;"
    ),
}
_DEFAULT_SLOT: Final = "debezium"
_DEFAULT_PUBLICATION: Final = "dbz_publication"
_MAKE_HEARTBEAT: Final = (
    "CREATE TABLE {0} (id int PRIMARY KEY, at timestamptz NOT NULL); "
    "INSERT INTO {0} VALUES (1, now());"
)
_WRITES: Final = re.compile(
    r"(?:insert\s+into|update|merge\s+into)\s+(?:only\s+)?([\w.\"]+)", re.IGNORECASE
)


def findings(facts: DatabaseFacts, connectors: Sequence[ConnectorFacts]) -> Iterator[Finding]:
    """Look at a database as its connectors see it.

    Args:
        facts: the database.
        connectors: all PostgreSQL connectors that are known; those of other databases are left out.
    """
    yield from unseen(_UNSEEN, _BLIND, facts.unseen)
    ours = [one for one in connectors if one.get("database.dbname") == facts.database]
    if not ours:
        names = ", ".join(one.name for one in connectors) or "none"
        yield _ASSUMED.found(
            f"no connector of database {facts.database} is known (known: {names}): every table "
            "counts as captured, by Debezium's default slot and publication",
            "Set doctor.connect_url or doctor.connector_files.",
            facts.database,
        )
        yield from _as_seen_by(None, facts)
    for connector in ours:
        yield from _as_seen_by(connector, facts)


def _as_seen_by(connector: ConnectorFacts | None, facts: DatabaseFacts) -> Iterator[Finding]:
    def named(key: str, default: str) -> str:
        return default if connector is None else connector.get(key) or default

    yield from slot.findings(facts, named("slot.name", _DEFAULT_SLOT))
    if "tables" in facts.unseen:
        return
    captures = Captures(connector)
    captured = [table for table in facts.tables if table in captures]
    if "publications" not in facts.unseen:
        publication = named("publication.name", _DEFAULT_PUBLICATION)
        yield from tables.findings(captured, facts.publications, publication)
    yield from tables.missing(captures.named_but_missing(facts.tables))
    if connector is not None and (query := connector.get("heartbeat.action.query")):
        yield from _of_heartbeat(query, facts.tables, captured)


def _of_heartbeat(
    query: str, known: Sequence[TableFacts], captured: Sequence[TableFacts]
) -> Iterator[Finding]:
    """A heartbeat may also write a logical message: then it needs no table."""
    written = _WRITES.search(query)
    if written is None:
        return
    name = written[1].replace('"', "")

    def is_named(table: TableFacts) -> bool:
        return name in (table.name, table.name.partition(".")[2])

    if not any(is_named(one) for one in known):
        yield _NO_HEARTBEAT_TABLE.found(
            "heartbeat.action.query writes to a table that does not exist",
            _MAKE_HEARTBEAT.format(name),
            name,
        )
    elif not any(is_named(one) for one in captured):
        yield _NO_HEARTBEAT_TABLE.found(
            "heartbeat.action.query writes to a table that is not captured",
            "Add it to table.include.list and to the publication.",
            name,
        )
    else:
        yield passed("postgres", "the heartbeat's table is there and captured", name)
