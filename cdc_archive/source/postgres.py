"""Looks at a PostgreSQL database by psycopg, in read-only transactions with a time limit.

Each question is a transaction of its own: one that is refused leaves the others answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from cdc_archive.errors import SourceDenied, SourceUnreachable
from cdc_archive.source.database import (
    WANTED_SETTINGS,
    DatabaseFacts,
    IdleTransaction,
    PublicationFacts,
    SlotFacts,
    TableFacts,
)
from cdc_archive.telemetry.masking import Mask

_T = TypeVar("_T")
_IDENTITIES: Final = {"d": "default", "n": "nothing", "f": "full", "i": "index"}
_PERSISTENCE: Final = {"p": "permanent", "u": "unlogged", "t": "temporary"}
_REFUSED: Final = ("authentication", "password", "does not exist", "permission denied", "pg_hba")

_TABLES: Final = """
SELECT n.nspname || '.' || c.relname AS name, c.relreplident::text AS identity,
       c.relkind::text AS kind, c.relpersistence::text AS persistence,
       EXISTS (SELECT 1 FROM pg_index k WHERE k.indrelid = c.oid AND k.indisprimary) AS has_key,
       (SELECT i.relname FROM pg_index k JOIN pg_class i ON i.oid = k.indexrelid
         WHERE k.indrelid = c.oid AND k.indisreplident) AS identity_index,
       (SELECT pn.nspname || '.' || p.relname FROM pg_inherits h
          JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE h.inhrelid = c.oid AND c.relispartition) AS parent,
       ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attstorage IN ('x', 'e') AND NOT (a.atttypmod BETWEEN 0 AND 504)
           AND NOT EXISTS (SELECT 1 FROM pg_index k
             WHERE k.indrelid = c.oid AND k.indisprimary AND a.attnum = ANY (k.indkey))
         ORDER BY a.attnum) AS long_columns,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
         ORDER BY a.attnum) AS generated_columns,
       CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid) END AS toasted,
       ARRAY(SELECT t.pubname::text FROM pg_publication_tables t
         WHERE t.schemaname = n.nspname AND t.tablename = c.relname) AS publications
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY 1
"""
_PUBLICATIONS: Final = "SELECT to_jsonb(p) AS p FROM pg_publication p ORDER BY pubname"
_SLOTS: Final = """
SELECT to_jsonb(s) AS s, pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
         restart_lsn)::bigint AS behind
  FROM pg_replication_slots s ORDER BY slot_name
"""
"""As JSON, for each version of PostgreSQL has other columns."""
_IDLE: Final = """
SELECT pid, coalesce(application_name, '') AS application, coalesce(usename, '') AS "user",
       extract(epoch FROM now() - xact_start)::float8 AS seconds, NULL AS prepared
  FROM pg_stat_activity
 WHERE state LIKE 'idle in transaction%' AND xact_start IS NOT NULL
 UNION ALL
SELECT 0, '', owner::text, extract(epoch FROM now() - prepared)::float8, gid FROM pg_prepared_xacts
 ORDER BY 4 DESC
"""
_MAY_SEE_SESSIONS: Final = "SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS may"


def look(dsn: str, timeout_s: float) -> DatabaseFacts:
    """What the database says of itself.

    Args:
        dsn: a connection string or URL; never shown.
        timeout_s: for the connection, and for each statement.

    Raises:
        SourceUnreachable: there is no answer.
        SourceDenied: the login, the database or the string is refused.
    """
    hide = Mask([dsn])
    try:
        hide = Mask([str(conninfo_to_dict(dsn).get("password") or "")])
        with psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=max(2, round(timeout_s)),
            application_name="cdc-archive doctor",
            row_factory=dict_row,
        ) as connection:
            connection.read_only = True
            milliseconds = str(max(1, round(timeout_s * 1000)))
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [milliseconds])
            return _Look(connection).facts()
    except psycopg.Error as error:
        raise _told(error, hide) from None


def _told(error: psycopg.Error, hide: Mask) -> SourceDenied | SourceUnreachable:
    """In words without the connection string, which libpq may repeat."""
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return SourceDenied(
            "doctor.postgres_dsn is no connection string of PostgreSQL",
            "Write it as postgresql://user:password@host:5432/database.",
        )
    what = hide(_short(error))
    kind = SourceDenied if any(one in what for one in _REFUSED) else SourceUnreachable
    return kind(
        f"PostgreSQL: {what}",
        "Check doctor.postgres_dsn: host, port, database, user and password.",
    )


class _Look:
    """Asks one question after the other; remembers which were refused."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection
        self._unseen: dict[str, str] = {}
        self._version = connection.info.server_version

    def facts(self) -> DatabaseFacts:
        (place,) = self._rows("SELECT current_database() AS name, pg_is_in_recovery() AS standby")
        standby = bool(place["standby"])
        return DatabaseFacts(
            place["name"],
            self._version,
            self._try("settings", self._settings, {}),
            self._try("tables", self._tables, ()),
            self._try("publications", self._publications, ()),
            self._try("slots", self._slots, ()),
            self._try("sessions", self._idle, ()),
            standby,
            self._unseen,
        )

    def _rows(self, sql: LiteralString, arguments: list[Any] | None = None) -> list[dict[str, Any]]:
        return self._connection.execute(sql, arguments).fetchall()

    def _try(self, fact: str, ask: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return ask()
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # the connection is gone
                raise
            self._unseen[fact] = _short(error)
        except psycopg.Error as error:
            self._unseen[fact] = _short(error)
        return otherwise

    def _settings(self) -> dict[str, str]:
        found = self._rows(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(WANTED_SETTINGS)]
        )
        return {row["name"]: row["setting"] for row in found}

    def _tables(self) -> tuple[TableFacts, ...]:
        return tuple(_table(row) for row in self._rows(_TABLES))

    def _publications(self) -> tuple[PublicationFacts, ...]:
        return tuple(_publication(row["p"]) for row in self._rows(_PUBLICATIONS))

    def _slots(self) -> tuple[SlotFacts, ...]:
        return tuple(_slot(row["s"], row["behind"]) for row in self._rows(_SLOTS))

    def _idle(self) -> tuple[IdleTransaction, ...]:
        (allowed,) = self._rows(_MAY_SEE_SESSIONS)
        if not allowed["may"]:
            self._unseen["sessions"] = "this user may not see the sessions of others"
        return tuple(IdleTransaction(**row) for row in self._rows(_IDLE))


def _table(row: dict[str, Any]) -> TableFacts:
    return TableFacts(
        row["name"],
        _IDENTITIES[row["identity"]],
        row["has_key"],
        "partitioned" if row["kind"] == "p" else "table",
        _PERSISTENCE[row["persistence"]],
        row["parent"],
        row["identity_index"],
        tuple(row["long_columns"]),
        tuple(row["generated_columns"]),
        row["toasted"],
        tuple(row["publications"]),
    )


def _publication(row: dict[str, Any]) -> PublicationFacts:
    operations = ("insert", "update", "delete", "truncate")
    return PublicationFacts(
        row["pubname"],
        frozenset(one for one in operations if row.get(f"pub{one}")),
        row["puballtables"],
        row.get("pubviaroot", False),
    )


def _slot(row: dict[str, Any], behind: int | None) -> SlotFacts:
    return SlotFacts(
        row["slot_name"],
        row["plugin"] or "",
        row["database"] or "",
        row["active"],
        row.get("wal_status"),
        row.get("safe_wal_size"),
        behind,
        row.get("failover"),
        row.get("invalidation_reason"),
    )


def _short(error: psycopg.Error) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
