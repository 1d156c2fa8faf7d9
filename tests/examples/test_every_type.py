"""Each of the 55 types of audit events comes of the rows that the example schema has for it."""

from __future__ import annotations

import json

import pytest
from support.build import message
from support.memory_context import MemoryContext
from support.platform_acts import ACTS, NO_EVENTS, OTHER_NAMES, PROJECT, Act, gone, made
from support.replayed import OPENAI, replayed, validators

from cdc_archive.source.message import Message

ENVELOPE = {"id", "type", "effective_at", "project", "actor", "object"}
"""Members of an audit event that are no payload."""
BESIDE = MemoryContext(OPENAI, rows={"projects": {"proj_1": PROJECT}})


def log_of(acts: list[Act], plural: bool = False) -> list[Message]:
    """The rows as they were found, then one transaction: messages of a stream without schemas."""
    found = [Act(act.table, None, act.before) for act in acts if act.before is not None]
    log = [_message(act, number, "r", plural) for number, act in enumerate(found)]
    for number, act in enumerate(acts, len(found)):
        op = "c" if act.before is None else "d" if act.after is None else "u"
        log.append(_message(act, number, op, plural))
    return log


def _message(act: Act, number: int, op: str, plural: bool) -> Message:
    table = act.table + "s" if plural else act.table
    row = act.after or act.before or {}
    value = {
        "before": act.before,
        "after": act.after,
        "source": {
            "name": "pg",
            "ts_ms": 1_771_516_800_000,
            "snapshot": "true" if op == "r" else "false",
            "db": "lab",
            "schema": "platform",
            "table": table,
            "txId": None if op == "r" else 1,
            "lsn": number,
            "sequence": json.dumps([None if op == "r" else "1", str(number)]),
        },
        "transaction": None if op == "r" else {"id": f"1:{number}", "total_order": number},
        "op": op,
    }
    names = ("id",) if "id" in row else [*row][:2]
    return message(
        json.dumps(value).encode(),
        topic=f"pg.platform.{table}",
        offset=number,
        key=json.dumps({name: row[name] for name in names}).encode(),
    )


def strict_types() -> set[str]:
    """The types that have a payload, as the strict schema has them."""
    schema = validators()[1].schema
    return set(schema["$defs"]["AuditLog"]["properties"]) - ENVELOPE


def test_the_mapping_has_all_types_that_have_a_payload() -> None:
    """And no other."""
    assert len(strict_types()) == 55
    assert set(OPENAI.types()) == strict_types()


def test_each_type_is_acted_out_below() -> None:
    """So that no rule goes untested."""
    assert {kind for kind, *_ in ACTS} == strict_types()


def named(act: tuple) -> str:
    return act[0].replace(" ", "_")


@pytest.mark.parametrize("plural", [False, True], ids=["singular", "plural"])
@pytest.mark.parametrize("act", ACTS, ids=named)
def test_the_act_gives_this_event_only(act: tuple, plural: bool) -> None:
    """With this payload and project, valid by OpenAI's schema and by the strict one."""
    kind, acts, payload, project = act
    events, _, report = replayed(log_of(acts, plural), context=BESIDE)
    assert [event["type"] for event in events] == [kind]
    event = json.loads(json.dumps(events[0], default=float))
    row = acts[0].after or acts[0].before
    with_id = kind.startswith(("login.", "logout.", "certificates.", "ip_allowlist.config."))
    expected = payload if with_id else {"id": row.get("id")} | payload
    assert event[kind] == expected
    assert event.get("project") == project
    for validator in validators():
        validator.validate(event)
    assert report.complete


@pytest.mark.parametrize("act", OTHER_NAMES, ids=named)
def test_other_names_and_numbers_will_do(act: tuple) -> None:
    """Ids that are numbers are texts in the event; both schemas hold."""
    kind, acts, some = act
    events, _, _ = replayed(log_of(acts), context=BESIDE)
    assert [event["type"] for event in events] == [kind]
    payload = events[0][kind]
    assert payload | some == payload
    for validator in validators():
        validator.validate(json.loads(json.dumps(events[0])))


def test_a_number_finds_its_project() -> None:
    """Under the number, not under its text."""
    context = MemoryContext(OPENAI, rows={"projects": {5: {"id": 5, "title": "Five"}}})
    log = log_of([made("api_key", id=1, project_id=5, scopes=[])])
    (event,), _, _ = replayed(log, context=context)
    assert event["project"] == {"id": "5", "name": "Five"}


def test_a_membership_is_not_taken_for_its_user() -> None:
    """REPLICA IDENTITY DEFAULT, never seen before: the message has the membership's own id."""
    log = log_of([gone("organization_user", id=1)])[1:]
    events, _, report = replayed(log, context=BESIDE)
    assert events == []
    assert report.unproven == {"user.deleted: the id of the row is not known": 1}


@pytest.mark.parametrize("act", NO_EVENTS, ids=named)
def test_what_is_no_event_gives_none(act: tuple) -> None:
    """Expiry and purge are no deletion, a look is no change."""
    events, _, report = replayed(log_of(act[1]), context=BESIDE)
    assert events == []
    assert report.complete
