"""What a PostgreSQL database says of itself, as far as its change stream depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TableFacts(NamedTuple):
    """A table.

    `identity` is its replica identity (`default`, `nothing`, `full`, `index`), `identity_index` the
    index of the last. `kind` is `table` or `partitioned`, `persistence` `permanent`, `unlogged` or
    `temporary`, `parent` the table that it is a partition of. `long_columns` are those, outside of
    the primary key, whose values PostgreSQL may keep out of line; `out_of_line_bytes` is what it
    does keep so. `publications` are those that it is in.
    """

    name: str
    identity: str
    has_primary_key: bool
    kind: str = "table"
    persistence: str = "permanent"
    parent: str | None = None
    identity_index: str | None = None
    long_columns: tuple[str, ...] = ()
    generated_columns: tuple[str, ...] = ()
    out_of_line_bytes: int = 0
    publications: tuple[str, ...] = ()

    @property
    def schema(self) -> str:
        """The schema's name."""
        return self.name.partition(".")[0]


class PublicationFacts(NamedTuple):
    """A publication: the operations that it publishes, and under which name partitions go."""

    name: str
    operations: frozenset[str]
    all_tables: bool = False
    via_root: bool = False


class SlotFacts(NamedTuple):
    """A replication slot; bytes are None where the server does not tell.

    `wal_status` is `reserved`, `extended`, `unreserved` or `lost`; `safe_bytes` is how much may
    still be written before it is in danger (None: no limit); `behind_bytes` the WAL that it holds
    back; `failover` is None before PostgreSQL 17.
    """

    name: str
    plugin: str
    database: str
    active: bool
    wal_status: str | None
    safe_bytes: int | None = None
    behind_bytes: int | None = None
    failover: bool | None = None
    invalidated: str | None = None


class IdleTransaction(NamedTuple):
    """A session that sits in a transaction: since how long, in seconds, and whose."""

    pid: int
    application: str
    user: str
    seconds: float
    prepared: str | None = None


class DatabaseFacts(NamedTuple):
    """A database.

    `version` is as in `server_version_num` (150004), `settings` those of WANTED_SETTINGS, in the
    server's units; `unseen` says of facts that could not be looked at why.
    """

    database: str
    version: int
    settings: Mapping[str, str]
    tables: tuple[TableFacts, ...] = ()
    publications: tuple[PublicationFacts, ...] = ()
    slots: tuple[SlotFacts, ...] = ()
    idle: tuple[IdleTransaction, ...] = ()
    standby: bool = False
    unseen: Mapping[str, str] = {}


WANTED_SETTINGS = (
    "idle_in_transaction_session_timeout",
    "idle_replication_slot_timeout",
    "logical_decoding_work_mem",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "max_wal_senders",
    "sync_replication_slots",
    "wal_level",
)
"""Parameters that the stream depends on; a server has those of its version."""
