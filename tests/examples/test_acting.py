"""Who acts, and which statements write."""

from __future__ import annotations

import json
import threading

import pytest

from examples.actor.acting import acting, api_key_actor, current, session_actor, writes


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "  update t set a = 1",
        "-- why\n/* and\nhow */ DELETE FROM t",
        "(INSERT INTO t VALUES (1))",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "with x as (select 1) insert into t select * from x",
        "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
        "TRUNCATE t",
        "COPY t FROM STDIN",
    ],
)
def test_a_statement_that_writes_is_seen(sql: str) -> None:
    """Whatever stands before its first word."""
    assert writes(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT * FROM t FOR UPDATE",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "BEGIN",
        "ROLLBACK TO SAVEPOINT s",
        "SET LOCAL a = 'INSERT'",
        "SELECT pg_logical_emit_message(true, 'audit.actor', 'x')",
        "",
        "-- INSERT",
    ],
)
def test_a_statement_that_reads_is_no_reason_to_tell(sql: str) -> None:
    """Reading must not become writing to the WAL."""
    assert not writes(sql)


def test_nobody_acts_unless_somebody_is_named() -> None:
    """And after the block nobody does again, also after an error."""
    assert current() is None

    def work() -> None:
        with acting(session_actor("u1")):
            assert current() is not None
            raise LookupError

    with pytest.raises(LookupError):
        work()
    assert current() is None


def test_the_innermost_block_says_who_acts() -> None:
    """A job within a request may act as itself, or as nobody."""
    with acting(session_actor("u1")):
        with acting(api_key_actor("key_1", service_account="svc_1")):
            assert json.loads(current() or "")["api_key"]["service_account"] == {"id": "svc_1"}
        with acting(None):
            assert current() is None
        assert json.loads(current() or "")["session"]["user"] == {"id": "u1"}


def test_another_thread_has_an_actor_of_its_own() -> None:
    """A pool's thread does not act for whoever started it."""
    seen = []
    with acting(session_actor("u1")):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_an_actor_can_be_found_out_when_it_is_needed() -> None:
    """And whatever is written in finding out is nobody's act, or it would be asked without end."""
    asked = []

    def find() -> dict[str, str]:
        asked.append(current())
        return {"type": "session"}

    with acting(find):
        assert asked == []
        assert current() == '{"type":"session"}'
    assert asked == [None]


def test_an_api_key_is_of_one_owner() -> None:
    """The audit log's schema knows a user's key or a service account's, not both, not neither."""
    for owners in ({}, {"user": "u", "service_account": "s"}):
        with pytest.raises(ValueError, match="one of them"):
            api_key_actor("key_1", **owners)
