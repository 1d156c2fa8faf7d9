"""The events that the recorded workload implies, written by hand from its SQL."""

from __future__ import annotations

import json
import random

import pytest
from support.captures import JSON_CAPTURES, messages
from support.replayed import of_capture, replayed, replayed_streams, streams, validators

from cdc_archive.archive.reader.window import Window
from cdc_archive.replay.asked import Asked

PROJECT_1 = {"id": "proj_1", "name": "Project 1 renamed"}
NEW_INVITE = {"email": "new@example.com", "role": "member"}
ORG_1_NAME = {"name": "Org 1 renamed"}
BIG_LIMIT = {"max_requests_per_1_minute": 2**53 + 1}
ORG_1 = "00000000-0000-4000-8000-000000000001"

EXPECTED = [
    # A. plain insert, update (REPLICA IDENTITY DEFAULT: no before image), delete
    (
        "invite.sent",
        {"id": "6", "data": {"email": "new@example.com", "role": "member"}},
        "key_0002",
    ),
    ("invite.accepted", {"id": "1"}, "user_0002"),
    ("invite.deleted", {"id": "2"}, None),
    # B. one transaction over many tables
    ("project.created", {"id": "proj_tx", "data": {"name": "tx", "title": "tx"}}, "user_0007"),
    ("user.added", {"id": "user_tx", "data": {"role": "member"}}, "user_0007"),
    ("service_account.created", {"id": "svc_tx", "data": {"role": "member"}}, "user_0007"),
    (
        "api_key.created",
        {"id": "10000000-0000-4000-8000-0000000000aa", "data": {"scopes": ["read", "write"]}},
        "user_0007",
    ),
    (
        "rate_limit.updated",
        {
            "id": "rl-proj_tx-model-b",
            "changes_requested": {"max_requests_per_1_minute": 1, "max_tokens_per_1_minute": 2},
        },
        "key_0007",
    ),
    # C. TOAST: only a changed name is an event
    (
        "organization.updated",
        {"id": ORG_1, "changes_requested": {"name": "Org 1 renamed"}},
        "user_0003",
    ),
    (
        "project.updated",
        {"id": "proj_1", "changes_requested": {"title": "Project 1 renamed"}},
        "key_0003",
    ),
    # E. users
    ("user.added", {"id": "user_e1", "data": {"role": "member"}}, None),
    ("user.added", {"id": "user_e2", "data": {"role": "member"}}, None),
]


def told(events: list[dict]) -> list[tuple[str, dict, str | None]]:
    """Type, payload, and who: a user's or key's id."""
    out = []
    for event in events:
        actor = event["actor"] or {}
        who = actor.get("session", {}).get("user", {}).get("id") or actor.get("api_key", {}).get(
            "id"
        )
        out.append((event["type"], event[event["type"]], who))
    return out


@pytest.mark.parametrize("name", ["pg_jp", "pg_js", "pg_fl"])
def test_the_workload_gives_exactly_its_events(name: str) -> None:
    """Everything before the bulk transaction, in order; then 47 limits, a role, deletions."""
    events, _, _ = of_capture(name)
    assert told(events)[: len(EXPECTED)] == EXPECTED
    bulk = told(events)[len(EXPECTED) :][:47]
    assert [kind for kind, _, _ in bulk] == ["rate_limit.updated"] * 45 + ["rate_limit.deleted"] * 2
    assert bulk[40][1]["changes_requested"] == {"max_requests_per_1_minute": 2}
    assert bulk[45][1] == {"id": "rl-proj_bulk-m39"}
    rest = told(events)[len(EXPECTED) + 47 :]
    truncated = [("service_account.deleted", {"id": one}, None) for one in ("svc_1", "svc_tx")]
    assert rest == [
        ("user.updated", {"id": "user_0001", "changes_requested": {"role": "auditor"}}, None),
        (
            "rate_limit.updated",
            {
                "id": "rl-proj_1-model-a",
                "changes_requested": {"max_requests_per_1_minute": 2**53 + 1},
            },
            None,
        ),
        ("invite.accepted", {"id": "5"}, None),
        *(() if name == "pg_fl" else truncated),
        ("project.deleted", {"id": "proj_4"}, None),
    ]


@pytest.mark.parametrize("name", JSON_CAPTURES)
def test_every_event_passes_both_schemas(name: str) -> None:
    """OpenAI's, and the strict one that refuses what OpenAI's lets through."""
    events, _, _ = of_capture(name)
    for event in json.loads(json.dumps(events)):
        for validator in validators():
            validator.validate(event)


def test_a_moved_key_is_neither_a_deletion_nor_a_creation() -> None:
    """proj_3, rate_limit of proj_2 and user_0004 change their keys: no event says otherwise."""
    events, _, _ = of_capture("pg_jp")
    ids = {event[event["type"]]["id"] for event in events}
    assert not ids & {"proj_3", "proj_3_moved", "user_9999", "user_0004", "rl-proj_2-model-a2"}


def test_redelivered_changes_make_no_second_event() -> None:
    """1107 of the 1536 streamed events of pg_dup came twice."""
    log = messages("pg_dup")
    events, _, report = of_capture("pg_dup")
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    assert report.redeliveries == 1107
    seen: set[tuple] = set()
    once = []
    for message in log:
        value = json.loads(message.value) if message.value else {}
        source = value.get("source")
        parts = [source, *map(value.get, ("transaction", "op", "after"))]
        mark = (message.topic, message.key, json.dumps(parts))
        if source is None or mark not in seen:
            seen.add(mark)
            once.append(message)
    assert replayed(once)[0] == events


def test_the_same_archive_gives_the_same_bytes() -> None:
    """Whatever the order in which partitions are read."""
    given = streams(messages("pg_jp"))
    outcomes = set()
    for seed in range(3):
        shuffled = list(given)
        random.Random(seed).shuffle(shuffled)
        outcomes.add(json.dumps(replayed_streams(shuffled)[:2]))
    assert len(outcomes) == 1


def test_a_window_writes_only_its_events_but_knows_what_came_before() -> None:
    """The accepted invite has no before image; its version before lies before the window."""
    events, _, _ = of_capture("pg_jp")
    evidence = of_capture("pg_jp")[1]
    at = next(one["event_time_us"] for one in evidence if one["type"] == "invite.accepted")
    inside, proofs, _ = replayed(messages("pg_jp"), Asked(Window(at, at + 1)))
    assert inside == [events[1]]
    assert proofs[0]["before"] == "reconstructed"


def test_types_and_tables_can_be_asked_for() -> None:
    """Nothing else is written."""
    by_type, _, _ = replayed(messages("pg_jp"), Asked(types=("invite.sent",)))
    assert [event["type"] for event in by_type] == ["invite.sent"]
    by_table, _, _ = replayed(messages("pg_jp"), Asked(tables=("*.organization",)))
    assert [event["type"] for event in by_table] == ["organization.updated"]


def test_every_field_of_an_actor_that_the_row_holds_comes_back() -> None:
    """What the incident lost: address, agent, fingerprints, place."""
    accepted = of_capture("pg_jp")[0][1]
    session = accepted["actor"]["session"]
    assert session["user"] == {"id": "user_0002", "email": "u2@example.com"}
    assert session["ip_address_details"]["asn"] == "64498"
    assert {"ip_address", "user_agent", "ja3", "ja4"} <= session.keys()


def test_the_report_says_what_is_not_there_and_why() -> None:
    """Counts of actors missing by reason, tables without a rule, snapshot rows."""
    _, evidence, report = of_capture("pg_jp")
    told = report.to_dict()
    assert told["events_total"] == len(evidence) == sum(told["events"].values())
    assert told["snapshot_rows"] == 51
    assert told["actor"]["missing"] == sum(told["actor_reasons"].values())
    assert told["unmapped"]["lab.app.event_log"] > 0
    assert told["complete"] is True
