"""Who made a change: asked of each source in order, taken only from what this change wrote."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support.captures import messages
from support.memory_context import MemoryContext
from support.transitions import archived, logical_message, row_message, transition

from cdc_archive.audit import mapping
from cdc_archive.audit.build import AuditEvent, Builder
from cdc_archive.audit.content import UNREADABLE
from cdc_archive.source.message import Message

PLAIN = "{type: 'session', session: {user: {id: @}}}"
HEAD = f'name = "m"\n[actor]\ntemplate = "@"\nplain = "{PLAIN}"\n'
RULES = "".join(
    f'[[rule]]\ntype = "t.{on}"\ntables = ["t"]\non = "{on}"\nid = "row.id"\n'
    for on in ("create", "update", "delete")
)
COLUMNS = """columns = { create = ["created_by"], update = ["deleted_by", "updated_by"] }\n"""
MESSAGE = 'message = ["audit.*"]\n'
CONTEXT_ROW = 'row = ["audit_context"]\nvalue = "row.actor"\n'
HEADER = 'header = ["x-user", "x-actor"]\n'


def session(who: str) -> dict[str, Any]:
    return {"type": "session", "session": {"user": {"id": who}}}


def rules(*sources: str) -> mapping.Mapping:
    told = "".join(f"[[actor.source]]\n{source}" for source in sources)
    return mapping.parse(HEAD + told + RULES, "m.toml")


def made(step: Any, source: str | mapping.Mapping, *log: Message) -> AuditEvent:
    """The event of a step, with a log beside it."""
    given = rules(source) if isinstance(source, str) else source
    context = MemoryContext(given, map(archived, log))
    (event,) = Builder(given, context).build(step)
    assert isinstance(event, AuditEvent)
    return event


def told(event: AuditEvent) -> tuple[Any, str, str | None, str]:
    proof = event.evidence
    return event.event["actor"], proof["actor"], proof["actor_source"], proof["actor_reason"]


ROW = {"id": 1, "created_by": "ann", "updated_by": "ann", "deleted_by": None, "a": 1}
UPDATE = transition("update", ROW, ROW | {"a": 2})


def test_a_soft_deletion_names_its_actor_in_deleted_by() -> None:
    """It is an update."""
    step = transition("update", ROW, ROW | {"deleted_by": "bob"})
    assert told(made(step, COLUMNS))[:3] == (session("bob"), "exact", "column deleted_by")


@pytest.mark.parametrize("before", [ROW, None])
def test_a_deleted_row_does_not_say_who_deleted_it(before: Any) -> None:
    """Its columns name the actor of an earlier change."""
    source = 'columns = { delete = ["updated_by"] }\n'
    actor, status, _, reason = told(made(transition("delete", ROW, None), source))
    assert (actor, status, reason) == (None, "stale", "updated_by was not touched by this change")
    trusting = made(transition("delete", ROW, None), source + "trust_unchanged = true\n")
    assert told(trusting)[:2] == (session("ann"), "unverified")


def test_an_actor_of_an_update_whose_version_before_is_unknown_is_unverified() -> None:
    """Nothing tells whether it was touched."""
    step = transition("update", None, ROW)
    assert told(made(step, COLUMNS))[:2] == (session("ann"), "unverified")


def test_an_actor_that_the_transaction_names_comes_before_an_unverified_one() -> None:
    """The column may name who made an earlier change; without a message it is all there is."""
    step, sources = transition("update", None, ROW), rules(COLUMNS, MESSAGE)
    log = logical_message("audit.actor", session("bob"))
    assert told(made(step, sources, log))[:3] == (session("bob"), "exact", "message audit.*")
    found = told(made(step, sources))
    assert found[:3] == (session("ann"), "unverified", "column updated_by")


SPLIT = """
columns = { update = ["updated_by_id", "updated_by_email"] }
value = "{type: 'session', session: {user: {id: row.updated_by_id, email: row.updated_by_email}}}"
"""


def test_an_actor_in_split_columns_is_whole_if_one_of_them_was_touched() -> None:
    """And stale if none was."""
    before = {"id": 1, "updated_by_id": "ann", "updated_by_email": "e", "a": 1}
    step = transition("update", before, before | {"updated_by_id": "bob"})
    expected = {"type": "session", "session": {"user": {"id": "bob", "email": "e"}}}
    assert told(made(step, SPLIT))[:2] == (expected, "exact")
    step = transition("update", before, before | {"a": 2})
    assert told(made(step, SPLIT))[:2] == (None, "stale")


@pytest.mark.parametrize(
    "encoded", ["base64", "bare base64", "base64url", "hex", "text", "decoded"]
)
def test_a_logical_message_of_the_transaction_names_the_actor(encoded: str) -> None:
    """Its content in any form; the message's place is the proof."""
    actor = session("ann") | {"note": "~~??>>"}
    text = json.dumps(actor).encode()
    raw: Any = {
        "base64": base64.b64encode(text).decode(),
        "bare base64": base64.b64encode(text).decode().rstrip("="),
        "base64url": base64.urlsafe_b64encode(text).decode(),
        "hex": text.hex(),
        "text": text.decode(),
        "decoded": actor,
    }[encoded]
    event = made(UPDATE, MESSAGE, logical_message("audit.actor", None, raw=raw, offset=5))
    assert told(event)[:3] == (actor, "exact", "message audit.*")
    assert event.evidence["actor_from"] == {"topic": "pg.message", "partition": 0, "offset": 5}


def test_a_part_of_a_messages_content_may_be_the_actor() -> None:
    """Where `value` says so; a content without it names nobody."""
    source = MESSAGE + 'value = "who.actor"\n'
    log = [logical_message("audit.x", {"other": 1}), logical_message("audit.x", {"who": {}})]
    assert told(made(UPDATE, source, *log))[1] == "missing"
    log.append(logical_message("audit.x", {"who": {"actor": "ann"}}))
    assert told(made(UPDATE, source, *log))[:2] == (session("ann"), "exact")


@pytest.mark.parametrize(
    "log",
    [
        logical_message("audit.actor", session("ann"), tx=8),
        logical_message("audit.actor", session("ann"), tx=None),
        logical_message("other", session("ann")),
    ],
)
def test_messages_of_others_say_nothing(log: Message) -> None:
    """Of another transaction, of none, of another prefix."""
    actor, status, _, reason = told(made(UPDATE, MESSAGE, log))
    assert (actor, status, reason) == (None, "missing", "message audit.*: none in the transaction")


def test_a_change_without_a_transaction_can_be_joined_with_nothing() -> None:
    """That is the reason then."""
    step = transition("update", ROW, ROW | {"a": 2}, tx=None)
    reason = told(made(step, MESSAGE, logical_message("audit.actor", session("ann"))))[3]
    assert reason == "message audit.*: the change does not name its transaction"


def test_two_actors_of_one_transaction_are_none() -> None:
    """The same one told twice is one; what is no actor does not count beside one."""
    ann = logical_message("audit.actor", session("ann"))
    assert told(made(UPDATE, MESSAGE, ann, ann))[:2] == (session("ann"), "exact")
    nobody = logical_message("audit.actor", {"type": "cron"})
    assert told(made(UPDATE, MESSAGE, nobody, ann))[:2] == (session("ann"), "exact")
    bob = logical_message("audit.actor", session("bob"))
    both = rules(MESSAGE, COLUMNS.replace('"deleted_by", "updated_by"', '"a"'))
    actor, status, _, reason = told(made(UPDATE, both, ann, bob))
    assert (actor, status) == (None, "ambiguous")
    assert reason == "message audit.*: two different actors in the transaction"


def test_a_context_row_of_the_transaction_names_the_actor() -> None:
    """Created or updated there; its JSON may be text."""
    for op in ("c", "u"):
        row = {"id": 1, "actor": json.dumps(session("ann"))}
        event = made(UPDATE, CONTEXT_ROW, row_message(op, None, row, "audit_context", offset=9))
        assert told(event)[:3] == (session("ann"), "exact", "row audit_context")
        assert event.evidence["actor_from"]["offset"] == 9
    gone = row_message("d", row, None, "audit_context")
    assert told(made(UPDATE, CONTEXT_ROW, gone))[1] == "missing"


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ([("x-actor", json.dumps(session("ann")).encode())], "ann"),
        ([("x-user", b"ann"), ("x-actor", b"bob")], "ann"),
        ([("x-user", b'"ann"')], "ann"),
        ([("x-user", b'{"schema":{"type":"string"},"payload":"ann"}')], "ann"),
        ([("x-user", None), ("x-actor", b"bob")], "bob"),
        ([("x-user", b"17")], "17"),
        ([("x-user", b"ann"), ("x-user", b"bob")], "ann"),
        ([], None),
    ],
)
def test_a_header_of_the_changes_message_names_the_actor(headers: list, who: str | None) -> None:
    """JSON or text, of the first header that is there."""
    step = transition("update", ROW, ROW | {"a": 2}, headers=tuple(headers))
    event = made(step, HEADER)
    assert event.event["actor"] == (session(who) if who else None)
    assert "actor_from" not in event.evidence


def test_the_first_source_that_names_an_actor_decides() -> None:
    """A stale column does not; with none the reason tells all that was looked at."""
    log = [logical_message("audit.actor", session("ann"))]
    both = rules(COLUMNS, MESSAGE)
    assert told(made(UPDATE, both, *log))[2] == "message audit.*"
    step = transition("update", ROW, ROW | {"updated_by": "bob"})
    assert told(made(step, both, *log))[2] == "column updated_by"
    actor, status, source, reason = told(made(UPDATE, both))
    assert (actor, status, source) == (None, "stale", None)
    assert reason == (
        "updated_by was not touched by this change; message audit.*: none in the transaction"
    )


@pytest.mark.parametrize(
    "value",
    ['{"type": "cron"}', '{"type": "session", "session": {}}', '{"type": "api_key"}', "[]", "{"],
)
def test_what_is_no_actor_is_not_taken_for_one(value: str) -> None:
    """The reason does not repeat it."""
    given = mapping.parse(
        HEAD.replace(PLAIN, "null") + "[[actor.source]]\n" + COLUMNS + RULES, "m.toml"
    )
    actor, status, _, reason = told(
        made(transition("create", None, {"id": 1, "created_by": value}), given)
    )
    assert (actor, status) == (None, "invalid")
    assert value not in reason


def test_each_source_may_have_its_own_template() -> None:
    """It wins over the common one."""
    source = COLUMNS + "plain = \"{type: 'api_key', api_key: {id: @}}\"\n"
    event = made(transition("create", None, ROW), source)
    assert event.event["actor"] == {"type": "api_key", "api_key": {"id": "ann"}}


def test_a_template_may_look_up_what_the_column_does_not_hold() -> None:
    """A user's e-mail, as it was then."""
    plain = "{type: 'session', session: {user: {id: @, email: lookup('users', @).email}}}"
    text = HEAD.replace(PLAIN, plain) + "[[actor.source]]\n" + COLUMNS + RULES
    given = mapping.parse(text + "[lookup.users]\ntables = ['user']\nby = 'id'\n", "m.toml")
    step = transition("create", None, ROW)
    for email in ("old@x", "new@x"):
        context = MemoryContext(given, rows={"users": {"ann": {"email": email}}})
        (event,) = Builder(given, context).build(step)
        user = event.event["actor"]["session"]["user"]  # type: ignore[union-attr]
        assert user == {"id": "ann", "email": email}


def test_every_field_that_the_incident_lost_comes_back_from_a_recorded_message() -> None:
    """Addresses, agent, fingerprints, place; numbers as text."""
    given = rules('message = ["actor"]\n')
    for name in ("pg_jp", "pg_js"):
        log = [one for one in messages(name) if one.topic.endswith(".message")]
        context = MemoryContext(given, map(archived, log))
        told = [one for found in context._told.values() for one in found]
        (one,) = told
        assert one.value["session"]["user"] == {"id": "user_0005", "email": "u5@example.com"}
        assert one.value["session"]["ja3"] == "97849406ff8cdb34be0d45cce7543da4"
        assert one.value["tracking_id"] == "req_437f57809f82b9e2947f70fd488eb536"


def test_recorded_content_that_is_no_text_is_nobody() -> None:
    """Bytes 00 ff 10, and an empty content."""
    given = rules('message = ["bin", ""]\n')
    log = [one for one in messages("pg_jp") if one.topic.endswith(".message")]
    told = MemoryContext(given, map(archived, log))._told.values()
    assert [one.value for found in told for one in found] == [UNREADABLE, ""]
