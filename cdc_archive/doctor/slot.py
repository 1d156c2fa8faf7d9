"""Whether PostgreSQL will keep its log for the connector, and for how long. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdc_archive.doctor.finding import Finding, error, note, or_passed, passed, warning
from cdc_archive.doctor.tables import quoted
from cdc_archive.source.database import DatabaseFacts, IdleTransaction, SlotFacts

_VIEW: Final = "PostgreSQL documentation, pg_replication_slots"
_WAL_LEVEL = error(
    "postgres.wal-level",
    "Only wal_level logical writes what logical decoding needs.",
    "PostgreSQL documentation, `wal_level`",
)
_NO_SLOT = error(
    "postgres.slot-missing",
    "The slot keeps the log until the connector has read it. Without it, changes are lost from now "
    "until it is there and a snapshot was taken.",
    _VIEW,
)
_LOST = error(
    "postgres.slot-lost",
    "PostgreSQL has removed log that the connector had not read: those changes are gone, and the "
    "slot can never go on.",
    f"{_VIEW}, `wal_status`",
)
_UNRESERVED = error(
    "postgres.slot-unreserved",
    "The slot is over its limit: the next checkpoint may remove the log that it needs.",
    f"{_VIEW}, `wal_status`",
)
_NARROW = warning(
    "postgres.slot-narrow",
    "When the limit is reached, PostgreSQL throws the slot away, and with it what was not read.",
    "PostgreSQL documentation, `max_slot_wal_keep_size`",
)
_UNLIMITED = note(
    "postgres.slot-unlimited",
    "A connector that stands still fills the database's disk until the database stops. That loses "
    "no change, but somebody will then drop the slot: watch how far it is behind.",
    "PostgreSQL documentation, `max_slot_wal_keep_size`",
)
_LIMITED = note(
    "postgres.slot-limited",
    "The connector may be away for no longer than it takes to write this much log.",
    "PostgreSQL documentation, `max_slot_wal_keep_size`",
)
_IDLE_LIMIT = warning(
    "postgres.slot-idle-timeout",
    "A slot that nobody reads for so long is thrown away, and with it what was not read.",
    "PostgreSQL documentation, `idle_replication_slot_timeout`",
)
_INACTIVE = warning(
    "postgres.slot-inactive",
    "Nobody reads the slot now: nothing is captured, and log piles up.",
    _VIEW,
)
_BEHIND = warning(
    "postgres.slot-behind",
    "So much log is held back for the slot: the connector is slow or stands still, a transaction "
    "is open, or its tables are quiet and there is no heartbeat.",
    f"{_VIEW}, `restart_lsn`",
)
_NO_FAILOVER = note(
    "postgres.slot-failover",
    "After a failover the new primary does not have the slot: what is changed until it is made "
    "anew is lost.",
    "PostgreSQL documentation, Logical Replication Failover",
)
_OLD = note(
    "postgres.slot-standby",
    "Before PostgreSQL 17 a slot does not survive a failover: what is changed until it is made "
    "anew is lost.",
    "PostgreSQL documentation, Logical Replication Failover",
)
_FEW_SLOTS = warning(
    "postgres.slots-used-up",
    "A connector whose slot has to be made anew cannot make it.",
    "PostgreSQL documentation, `max_replication_slots`",
)
_SMALL_MEMORY = note(
    "postgres.decoding-memory",
    "Transactions larger than this are written to disk while they are decoded; with many of them "
    "the connector falls behind.",
    "PostgreSQL documentation, `logical_decoding_work_mem`",
)
_IDLE = warning(
    "postgres.idle-transaction",
    "The slot cannot move on past a transaction that is open: log piles up while it sits there.",
    "PostgreSQL documentation, `idle_in_transaction_session_timeout`",
)
_FOREIGN = warning(
    "postgres.slot-database", "A slot of another database holds no change of this one.", _VIEW
)

_MIB: Final = 1 << 20
_BEHIND_BYTES: Final = 1 << 30
_SAFE_BYTES: Final = 256 * _MIB
_IDLE_S: Final = 300
_FEW: Final = 1
_FAILOVER_SINCE: Final = 170000
_LEAST_MEMORY_KB: Final = 65536


def findings(facts: DatabaseFacts, slot_name: str) -> Iterator[Finding]:
    """Look at the server and the connector's slot; what is in `unseen` is not judged."""
    if "settings" not in facts.unseen:
        yield from _of_server(facts)
    if "slots" not in facts.unseen:
        yield from _of_slots(facts, slot_name)
    if "sessions" not in facts.unseen:
        found = (one for idle in facts.idle for one in _of_idle(idle))
        yield from or_passed(found, "postgres", f"no transaction open for {_IDLE_S} s")


def _of_server(facts: DatabaseFacts) -> Iterator[Finding]:
    level = facts.settings.get("wal_level", "")
    if level != "logical":
        yield _WAL_LEVEL.found(
            f"wal_level is {level}", "ALTER SYSTEM SET wal_level = 'logical'; -- and restart"
        )
    else:
        version = f"{facts.version // 10000}.{facts.version % 10000}"
        yield passed("postgres", f"PostgreSQL {version}, wal_level logical", facts.database)
    memory = facts.settings.get("logical_decoding_work_mem", "")
    if memory.isdecimal() and int(memory) < _LEAST_MEMORY_KB:
        yield _SMALL_MEMORY.found(
            f"logical_decoding_work_mem is {int(memory):,} kB",
            "ALTER SYSTEM SET logical_decoding_work_mem = '64MB'; SELECT pg_reload_conf();",
        )
    idle_limit = facts.settings.get("idle_replication_slot_timeout", "0")
    if idle_limit != "0":
        yield _IDLE_LIMIT.found(
            f"idle_replication_slot_timeout is {idle_limit} s",
            "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();",
        )
    if "slots" not in facts.unseen:
        yield from _of_room(facts)


def _of_room(facts: DatabaseFacts) -> Iterator[Finding]:
    most = facts.settings.get("max_replication_slots", "")
    if most.isdecimal() and int(most) - len(facts.slots) < _FEW:
        yield _FEW_SLOTS.found(
            f"all {most} of max_replication_slots are used",
            f"ALTER SYSTEM SET max_replication_slots = {int(most) + 10}; -- and restart",
        )


def _of_slots(facts: DatabaseFacts, name: str) -> Iterator[Finding]:
    slot = next((one for one in facts.slots if one.name == name), None)
    if slot is None:
        listed = ", ".join(one.name for one in facts.slots) or "none"
        yield _NO_SLOT.found(
            f"there is no slot {name}; the server has: {listed}",
            f"SELECT pg_create_logical_replication_slot('{_literal(name)}', 'pgoutput');",
            name,
        )
        return
    found = [*_of_slot(slot, facts.database), *_of_limit(slot, facts)]
    yield from found
    if not any(one.severity in ("error", "warning") for one in found):
        behind = "" if slot.behind_bytes is None else f", {_size(slot.behind_bytes)} behind"
        yield passed("postgres", f"active, {slot.wal_status or 'reserved'}{behind}", name)


def _of_slot(slot: SlotFacts, database: str) -> Iterator[Finding]:
    if slot.wal_status == "lost" or slot.invalidated:
        name = _literal(slot.name)
        yield _LOST.found(
            f"wal_status {slot.wal_status}" + (f": {slot.invalidated}" if slot.invalidated else ""),
            "Stop the connector and delete its offsets, then: "
            f"SELECT pg_drop_replication_slot('{name}'); start it again with a snapshot, and "
            "record the loss with `cdc-archive gap accept` as the worker tells it.",
            slot.name,
        )
        return
    if slot.wal_status == "unreserved":
        yield _UNRESERVED.found(
            "wal_status unreserved",
            "ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf(); -- and see why "
            "the connector is behind",
            slot.name,
        )
    if not slot.active:
        yield _INACTIVE.found(
            "the slot is not active", "Start the connector, or see why it failed.", slot.name
        )
    if slot.database != database:
        yield _FOREIGN.found(
            f"the slot is of database {slot.database or '(none)'}, this is {database}",
            "Correct doctor.postgres_dsn, or the connector's database.dbname or slot.name.",
            slot.name,
        )
    if slot.behind_bytes is not None and slot.behind_bytes > _BEHIND_BYTES:
        yield _BEHIND.found(
            f"{_size(slot.behind_bytes)} of log are held back",
            "SELECT pid, state, xact_start, query FROM pg_stat_activity ORDER BY xact_start; -- "
            "and set heartbeat.action.query",
            slot.name,
        )


def _of_limit(slot: SlotFacts, facts: DatabaseFacts) -> Iterator[Finding]:
    limit = facts.settings.get("max_slot_wal_keep_size", "")
    lift = "ALTER SYSTEM SET max_slot_wal_keep_size = {}; SELECT pg_reload_conf();"
    if limit == "-1":
        yield _UNLIMITED.found(
            "max_slot_wal_keep_size is -1: no limit",
            "Alert on pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), and on free disk.",
            slot.name,
        )
    elif limit.isdecimal():
        yield _LIMITED.found(
            f"max_slot_wal_keep_size is {_size(int(limit) * _MIB)}", lift.format(-1), slot.name
        )
    if slot.safe_bytes is not None and 0 <= slot.safe_bytes < _SAFE_BYTES and slot.active:
        yield _NARROW.found(
            f"{_size(slot.safe_bytes)} of log until the slot is in danger",
            lift.format(-1),
            slot.name,
        )
    if slot.failover is False:
        yield _NO_FAILOVER.found(
            "the slot is not synchronized to standbys",
            "Set the connector's slot.failover=true, and sync_replication_slots on the standby.",
            slot.name,
        )
    elif facts.version < _FAILOVER_SINCE:
        yield _OLD.found(
            f"PostgreSQL {facts.version // 10000} has no failover slots",
            "After a failover take a snapshot and accept the gap; or upgrade to PostgreSQL 17.",
            slot.name,
        )


def _of_idle(idle: IdleTransaction) -> Iterator[Finding]:
    if idle.seconds < _IDLE_S:
        return
    if idle.prepared is not None:
        yield _IDLE.found(
            f"prepared transaction of {idle.user}, open for {idle.seconds:,.0f} s",
            f"ROLLBACK PREPARED '{_literal(idle.prepared)}'; -- or COMMIT PREPARED",
            quoted(idle.prepared),
        )
        return
    yield _IDLE.found(
        f"idle in transaction for {idle.seconds:,.0f} s ({idle.user} {idle.application})".strip(),
        f"SELECT pg_terminate_backend({idle.pid}); -- and set idle_in_transaction_session_timeout",
        f"pid {idle.pid}",
    )


def _literal(text: str) -> str:
    return text.replace("'", "''")


def _size(count: int) -> str:
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(count) >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} bytes"
