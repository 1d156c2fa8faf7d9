"""A mapping is checked whole before anything is replayed, and each rule says what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.replayed import OPENAI, replayed
from support.row_changes import row_change

from cdc_archive import schema_files
from cdc_archive.audit import mapping
from cdc_archive.audit.beside import Witnesses
from cdc_archive.errors import MappingInvalid

PLAIN = "{type: 'session', session: {user: {id: @}}}"
SOURCE = '[[actor.source]]\ncolumns = { update = ["by"] }'
ACTOR = f"""[actor]
template = "@"
plain = "{PLAIN}"
{SOURCE}
"""
RULE = '[[rule]]\ntype = "x.updated"\ntables = ["t"]\non = "update"\nid = "row.id"\n'
GOOD = f'name = "mine"\n{ACTOR}{RULE}'
LOOKING_GROUP = "group = 'transaction'\nitem = 'row'\npayload = \"{a: lookup('p', row.id)}\""

LOOKING_SOURCE = (
    GOOD.replace(SOURCE, "[[actor.source]]\nmessage = ['m']\nvalue = \"lookup('p', id)\"\n")
    + "[lookup.p]\ntables = ['p']\nby = 'id'"
)


def source(keys: str) -> str:
    """A mapping with another source."""
    return GOOD.replace(SOURCE, f"[[actor.source]]\n{keys}\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('id = "row.id"', ""), "rule 1 (x.updated): id is missing"),
        (GOOD.replace('on = "update"', 'on = "upsert"'), "rule 1 (x.updated): on"),
        (GOOD + 'wen = "x"', "rule 1 (x.updated): wen is unknown; did you mean when?"),
        (GOOD + 'when = "row."', "rule 1 (x.updated): when: not a JMESPath expression"),
        (GOOD + 'when = "!before.a"', "write `!(a.b)`"),
        (GOOD.replace('name = "mine"', ""), "name is missing"),
        (GOOD.replace("[[rule]]", "[[rules]]"), "rule is missing"),
        ("not toml", "is not a TOML file"),
        (GOOD + 'when = "rwo.a"', "rule 1 (x.updated): when: rwo is unknown; did you mean row?"),
        (GOOD + 'when = "id"', "when: id is unknown"),
        (GOOD + "project = \"lookup('p', row.p)\"", "project: lookup p is not defined"),
        (GOOD + 'payload = "{a: items}"', "items is there only with group"),
        (GOOD + 'item = "row"', "item is there only with group"),
        (GOOD + 'group = "transaction"', "item is missing: with group each row gives one"),
        (GOOD + 'group = "hour"', "rule 1 (x.updated): group: Input should be 'transaction'"),
        (
            GOOD + LOOKING_GROUP + "\n[lookup.p]\ntables = ['p']\nby = 'id'",
            "payload: with group a look-up belongs into item",
        ),
        (
            GOOD + "changes = [{ feild = 'a', columns = ['a'] }]",
            "changes 1.feild is unknown; did you mean field?",
        ),
        (GOOD.replace(SOURCE, 'update = ["by"]'), "actor.update now stands in a source"),
        (GOOD.replace(SOURCE, "trust_unchanged = true"), "actor.trust_unchanged now stands"),
        (GOOD.replace('template = "@"', ""), "actor: source 1: template is missing"),
        (source('header = ["a"]\nrow = ["b"]\nvalue = "row.x"'), "actor.source 1: exactly one of"),
        (source("trust_unchanged = true"), "exactly one of columns, message, row, header"),
        (source('header = ["a"]\ncontent = "hex"'), "content is there only with message"),
        (source('header = ["a"]\ntrust_unchanged = true'), "trust_unchanged is there only with"),
        (source('row = ["a"]'), "actor.source 1: value is missing: which part of the row?"),
        (source('row = ["a"]\nvalue = "rows.x"'), "value: rows is unknown; did you mean row?"),
        (source('headers = ["a"]'), "actor.source 1.headers is unknown; did you mean header?"),
        (
            LOOKING_SOURCE,
            "actor.source 1: value: a look-up belongs into template or plain",
        ),
        (GOOD + "[lookup.p]\ntables = ['p']", "lookup.p.by is missing"),
        (GOOD + "[lookup.p]\ntable = 'p'", "lookup.p.table is unknown; did you mean tables?"),
        (
            GOOD + "[[types]]\ntables = ['p']\ncolumns = { a = 'datum' }",
            "types 1.columns.a: 'datum' is no",
        ),
        (GOOD + "[[type]]\ntables = ['p']", "type is unknown; did you mean types?"),
        ('unavailable_value = "hex:0"\n' + GOOD, "unavailable_value: "),
    ],
)
def test_faults_are_told_by_rule(text: str, says: str) -> None:
    """With the file's name."""
    with pytest.raises(MappingInvalid, match=r"mine\.toml") as caught:
        mapping.parse(text, "mine.toml")
    assert says in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    """Two rules, two faults."""
    with pytest.raises(MappingInvalid, match="has 2 faults"):
        mapping.parse(GOOD.replace('id = "row.id"', "") + RULE + "wen = 1", "mine.toml")


def test_the_default_mapping_knows_the_incidents_types() -> None:
    """The 18 that were lost, and project.archived."""
    lost = {
        *(f"api_key.{what}" for what in ("created", "updated", "deleted")),
        *(f"service_account.{what}" for what in ("created", "updated", "deleted")),
        *(f"invite.{what}" for what in ("sent", "accepted", "deleted")),
        "organization.updated",
        *(f"project.{what}" for what in ("created", "updated", "deleted")),
        *(f"user.{what}" for what in ("added", "updated", "deleted")),
        *(f"rate_limit.{what}" for what in ("updated", "deleted")),
    }
    assert len(lost) == 18
    assert lost | {"project.archived"} <= set(OPENAI.types())
    assert mapping.load(Path(schema_files.root() / "mappings/openai.toml")).name == "openai"


def own(extra: str = "") -> mapping.Mapping:
    return mapping.parse(GOOD + extra, "mine.toml")


def test_an_expression_that_rules_have_in_common_is_compiled_once() -> None:
    """Most of them tell the row's id."""
    one, other = mapping.parse(GOOD + RULE, "m.toml").rule
    assert one.id is other.id


def test_a_stale_actor_is_not_taken_for_this_changes() -> None:
    """The column names somebody, but this update did not touch it."""
    log = [
        row_change(0, "c", None, {"id": "1", "a": 1, "by": "ann"}),
        row_change(1, "u", None, {"id": "1", "a": 2, "by": "bob"}),
        row_change(2, "u", None, {"id": "1", "a": 3, "by": "bob"}),
    ]
    events, evidence, report = replayed(log, rules=own())
    assert [event["actor"] for event in events] == [
        {"type": "session", "session": {"user": {"id": "bob"}}},
        None,
    ]
    assert [one["actor"] for one in evidence] == ["exact", "stale"]
    assert report.actor_reasons == {"by was not touched by this change": 1}


def test_a_stale_actor_is_taken_if_the_mapping_says_so() -> None:
    """Marked as unverified."""
    log = [
        row_change(0, "c", None, {"id": "1", "a": 1, "by": "ann"}),
        row_change(1, "u", None, {"id": "1", "a": 2, "by": "ann"}),
    ]
    rules = mapping.parse(GOOD.replace("columns", "trust_unchanged = true\ncolumns"), "mine.toml")
    _, evidence, _ = replayed(log, rules=rules)
    assert [one["actor"] for one in evidence] == ["unverified"]


def test_what_cannot_be_proven_is_counted_not_guessed() -> None:
    """A conditional rule needs the version before."""
    log = [row_change(0, "u", None, {"id": "1", "a": 2})]
    events, _, report = replayed(log, rules=own('changed = ["a"]'))
    assert events == []
    assert report.unproven.total() == 1
    assert not report.complete


def test_ids_are_the_same_for_the_same_change_only() -> None:
    """Whatever the offsets under which it was delivered."""
    first = [row_change(n, "u", {"id": "1", "a": 0}, {"id": "1", "a": n}) for n in range(3)]
    moved = [one._replace(offset=one.offset + 100) for one in first]
    ids = [event["id"] for event in replayed(first, rules=own())[0]]
    assert [event["id"] for event in replayed(moved, rules=own())[0]] == ids
    assert len(set(ids)) == 3
    assert all(len(one) == len("audit_log-") + 24 for one in ids)


def test_a_mapping_says_what_it_looks_for_beside_the_changes() -> None:
    """Sources by number, look-ups by table: what a gathering pass must read."""
    beside = """
[[actor.source]]
message = ["audit.actor"]
[[actor.source]]
row = ["audit.context"]
value = "row.actor"
[lookup.projects]
tables = ["project"]
by = "id"
"""
    rules = mapping.parse(GOOD.replace(RULE, beside + RULE), "mine.toml")
    assert rules.sources_beside() == [(1, "message"), (2, "row")]
    witnesses = Witnesses(rules)
    assert witnesses.messages == [1]
    assert witnesses.of_table("db.audit.context") == ([2], [])
    assert witnesses.of_table("db.app.project") == ([], ["projects"])
    assert witnesses.of_table("db.app.context") == ([], [])
    assert witnesses.wants_anything
    assert not Witnesses(own()).wants_anything


def test_a_deletion_may_be_a_purge_if_the_table_knows_soft_deletes() -> None:
    """Of a row that the archive never saw: the column's value in the message is Debezium's."""
    rules = mapping.parse(
        GOOD.replace(
            'on = "update"', 'on = "delete"\nneeds = ["gone_at"]\nwhen = "!(before.gone_at)"'
        ),
        "mine.toml",
    )
    with_it, without = {"id": 1, "gone_at": None}, {"id": 1, "name": ""}
    events, _, report = replayed([row_change(0, "d", with_it, None)], rules=rules)
    assert (events, report.unproven.total()) == ([], 1)
    events, evidence, report = replayed([row_change(0, "d", without, None)], rules=rules)
    assert ([one["before"] for one in evidence], report.unproven.total()) == (["key_only"], 0)


def test_a_column_that_an_alter_table_added_is_nobodys_change() -> None:
    """REPLICA IDENTITY DEFAULT: its default shows first with the row's next update."""
    log = [
        row_change(0, "c", None, {"id": "1", "a": 1, "by": "ann"}),
        row_change(1, "u", None, {"id": "1", "a": 2, "by": "bob", "extra": "dflt"}),
    ]
    events, _, report = replayed(log, rules=own('changed = ["extra"]'))
    assert events == []
    assert report.unproven == {"x.updated: extra: what it was before is not in the archive": 1}
