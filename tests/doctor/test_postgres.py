"""What the doctor says of a PostgreSQL database: each rule with a fact that it is about."""

from __future__ import annotations

from typing import Any

import pytest
from doctor.facts import CONNECTOR, DATABASE, EVERY, SETTINGS, SLOT, TABLE, checks, configured

from cdc_archive.doctor import postgres
from cdc_archive.doctor.captured import Captures
from cdc_archive.doctor.finding import Severity
from cdc_archive.doctor.tables import quoted
from cdc_archive.source.database import IdleTransaction, PublicationFacts, TableFacts

PARENT = TABLE._replace(name="app.log", kind="partitioned", publications=())
PART = TABLE._replace(name="app.log_1", parent="app.log")


def found(facts: Any, connector: Any = CONNECTOR) -> list[Any]:
    return list(postgres.findings(facts, [connector]))


def with_tables(*tables: TableFacts) -> Any:
    return DATABASE._replace(tables=tables)


def with_slot(**changes: Any) -> Any:
    return DATABASE._replace(slots=(SLOT._replace(**changes),))


def with_settings(**changes: str) -> Any:
    return DATABASE._replace(settings=SETTINGS | changes)


def test_a_sound_database_gives_nothing_but_ok() -> None:
    """A limit is a fact of life, and a note."""
    assert checks(found(with_settings(max_slot_wal_keep_size="-1"))) == {"postgres.slot-unlimited"}
    assert Severity.OK in {one.severity for one in found(DATABASE)}


@pytest.mark.parametrize(
    ("table", "check"),
    [
        (TABLE._replace(identity="nothing"), "identity-nothing"),
        (TABLE._replace(identity="default", has_primary_key=False), "no-key"),
        (TABLE._replace(identity="default"), "identity-default"),
        (TABLE._replace(identity="index", identity_index="u"), "identity-index"),
        (TABLE._replace(identity="default", out_of_line_bytes=8192), "out-of-line"),
        (TABLE._replace(publications=()), "unpublished"),
        (TABLE._replace(persistence="unlogged"), "unlogged"),
        (TABLE._replace(generated_columns=("total",)), "generated"),
    ],
)
def test_each_fault_of_a_table_is_found_and_named(table: TableFacts, check: str) -> None:
    """And is not found of a sound one."""
    assert f"postgres.{check}" in checks(found(with_tables(table)))
    assert f"postgres.{check}" not in checks(found(DATABASE))


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        (with_settings(wal_level="replica"), "wal-level"),
        (with_settings(max_replication_slots="1"), "slots-used-up"),
        (with_settings(logical_decoding_work_mem="4096"), "decoding-memory"),
        (with_settings(idle_replication_slot_timeout="60"), "slot-idle-timeout"),
        (DATABASE._replace(slots=()), "slot-missing"),
        (DATABASE._replace(publications=()), "publication"),
        (
            DATABASE._replace(publications=(PublicationFacts("pub", EVERY - {"truncate"}),)),
            "publish",
        ),
        (with_slot(wal_status="lost"), "slot-lost"),
        (with_slot(invalidated="rows_removed"), "slot-lost"),
        (with_slot(wal_status="unreserved"), "slot-unreserved"),
        (with_slot(active=False), "slot-inactive"),
        (with_slot(database="other"), "slot-database"),
        (with_slot(behind_bytes=2 << 30), "slot-behind"),
        (with_slot(safe_bytes=1 << 20), "slot-narrow"),
        (with_slot(failover=False), "slot-failover"),
        (DATABASE._replace(version=150004), "slot-standby")
        if SLOT.failover is None
        else (with_slot(failover=None)._replace(version=150004), "slot-standby"),
        (DATABASE._replace(idle=(IdleTransaction(7, "psql", "me", 900.0),)), "idle-transaction"),
        (
            DATABASE._replace(idle=(IdleTransaction(0, "", "me", 900.0, "gid"),)),
            "idle-transaction",
        ),
        (DATABASE._replace(tables=()), "nothing-captured"),
        (DATABASE._replace(unseen={"sessions": "not allowed"}), "unseen"),
    ],
)
def test_each_fault_of_server_slot_and_publication_is_found(facts: Any, check: str) -> None:
    """And is not found of sound ones."""
    assert f"postgres.{check}" in checks(found(facts))
    assert f"postgres.{check}" not in checks(found(DATABASE))


@pytest.mark.parametrize("fact", ["settings", "tables", "publications", "slots", "sessions"])
def test_what_could_not_be_looked_at_is_told_and_never_called_well(fact: str) -> None:
    """For each fact; the others are judged."""
    empty: Any = {} if fact == "settings" else ()
    name = "idle" if fact == "sessions" else fact
    blind = DATABASE._replace(**{name: empty}, unseen={fact: "permission denied"})
    told = found(blind)
    assert checks(told) - {"postgres.slot-limited"} == {"postgres.unseen"}
    seen = {"settings": "wal_level", "tables": "identity FULL", "publications": "publishes"}
    seen |= {"slots": "behind", "sessions": "no transaction"}
    assert not any(seen[fact] in one.seen for one in told if one.severity is Severity.OK)


def test_a_session_that_is_idle_for_a_moment_is_no_finding() -> None:
    """Five minutes are."""
    facts = DATABASE._replace(idle=(IdleTransaction(7, "psql", "me", 20.0),))
    assert "postgres.idle-transaction" not in checks(found(facts))


def test_partitions_are_published_by_themselves_or_by_way_of_their_parent() -> None:
    """And are captured twice if both names are."""
    assert checks(found(with_tables(PARENT, PART))) == {
        "postgres.partitions-twice",
        "postgres.slot-limited",
    }
    only = configured(table__include__list=r"app\.log_.*")
    assert checks(found(with_tables(PARENT, PART), only)) == {"postgres.slot-limited"}
    unpublished = PART._replace(publications=())
    assert "postgres.unpublished" in checks(found(with_tables(PARENT, unpublished)))
    rooted = with_tables(PARENT._replace(publications=("pub",)), unpublished)._replace(
        publications=(PublicationFacts("pub", EVERY, via_root=True),)
    )
    assert "postgres.unpublished" not in checks(found(rooted))


@pytest.mark.parametrize(
    ("query", "check"),
    [
        ("UPDATE app.beat SET at = now()", "heartbeat-table"),
        ("INSERT INTO other.api_key VALUES (1)", "heartbeat-table"),
        ("update app.api_key set id = id", None),
        ("SELECT pg_logical_emit_message(false, 'h', '')", None),
    ],
)
def test_the_heartbeats_table_must_be_there_and_be_captured(query: str, check: str | None) -> None:
    """A logical message needs none."""
    facts = with_tables(TABLE, TABLE._replace(name="other.api_key"))
    told = checks(found(facts, configured(heartbeat__action__query=query)))
    assert ("postgres.heartbeat-table" in told) == (check is not None)


def test_a_connector_of_another_database_is_not_taken_for_this_one() -> None:
    """Then every table counts as captured, and that is told."""
    told = found(DATABASE, configured(database__dbname="other"))
    assert "postgres.no-connector" in checks(told)
    assert "postgres.slot-missing" in checks(told)


@pytest.mark.parametrize(
    ("settings", "name", "captured"),
    [
        ({"schema__include__list": None}, "any.thing", True),
        ({}, "app.x", True),
        ({}, "application.x", False),
        ({"table__include__list": "app.API_KEY,app.y"}, "app.api_key", True),
        ({"table__include__list": "app.y"}, "app.api_key", False),
        ({"table__exclude__list": "app.x"}, "app.x", False),
        ({"schema__include__list": None, "schema__exclude__list": "a.*"}, "app.x", False),
    ],
)
def test_a_table_is_captured_as_debezium_selects_it(
    settings: dict[str, Any], name: str, captured: bool
) -> None:
    """Whole names, whatever their case."""
    assert (TABLE._replace(name=name) in Captures(configured(**settings))) is captured


def test_an_entry_of_the_include_list_that_matches_nothing_is_told() -> None:
    """It is a table that is never archived."""
    connector = configured(table__include__list="app.api_key,app.api_kyes")
    (one,) = [o for o in found(DATABASE, connector) if o.check == "postgres.table-missing"]
    assert one.about == "app.api_kyes"


def test_names_are_quoted_as_sql_wants_them() -> None:
    """A command that is printed can be run, and runs nothing else."""
    assert quoted("app.api_key") == "app.api_key"
    assert quoted('app.Api"; DROP') == 'app."Api""; DROP"'
