"""Rules turn steps of rows into events, parts of events, or reasons why not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_context import MemoryContext
from support.transitions import transition

from cdc_archive.audit import mapping, rules
from cdc_archive.audit.build import AuditEvent, Builder, Part, Unproven
from cdc_archive.history.transition import Origin

ACTOR = """
name = "m"
[actor]
plain = "{type: 'session', session: {user: {id: @}}}"
template = "@"
[[actor.source]]
columns = { create = ["by"], update = ["by"] }
"""
GROUP = """
[[rule]]
type = "certificates.activated"
tables = ["certificate"]
on = "update"
changed = ["active"]
when = "row.active"
group = "transaction"
item = "{id: row.id, name: row.name}"
payload = "{certificates: items}"
project = "{id: row.project_id}"
"""


def builder(text: str, context: MemoryContext | None = None) -> Builder:
    return Builder(mapping.parse(ACTOR + text, "m.toml"), context)


def activated(number: int, by: str | None = "ann", **fields: Any) -> Any:
    before = {"id": number, "name": f"c{number}", "active": False, "project_id": "p", "by": None}
    after = before | {"active": True, "by": by}
    return transition("update", before, after, table="certificate", offset=number, **fields)


def parts(build: Builder, *steps: Any) -> list[Part]:
    found = [one for step in steps for one in build.build(step)]
    assert all(isinstance(one, Part) for one in found)
    return found  # type: ignore[return-value]


def test_the_rows_of_a_transaction_make_one_event() -> None:
    """At its first change; each row is told as a member."""
    build = builder(GROUP)
    found = parts(build, *map(activated, range(3)))
    assert {(part.rule, part.type) for part in found} == {(0, "certificates.activated")}
    made = build.together(found)
    assert isinstance(made, AuditEvent)
    items = [{"id": number, "name": f"c{number}"} for number in range(3)]
    assert made.event["certificates.activated"] == {"certificates": items}
    assert made.event["project"] == {"id": "p"}
    assert made.event["actor"]["session"] == {"user": {"id": "ann"}}
    assert [one["offset"] for one in made.evidence["members"]] == [0, 1, 2]
    assert made.evidence["offset"] == 0
    json.dumps([made.event, made.evidence])


def test_the_id_of_a_groups_event_is_that_of_its_first_change() -> None:
    """Whoever else joined it."""
    build = builder(GROUP)
    found = parts(build, activated(0), activated(1))
    whole, first = build.together(found), build.together(found[:1])
    assert whole.event["id"] == first.event["id"]  # type: ignore[union-attr]
    assert whole.event["id"] != build.together(found[1:]).event["id"]  # type: ignore[union-attr]


def test_rows_that_name_different_actors_leave_the_groups_event_without() -> None:
    """Rows that name none do not count."""
    build = builder(GROUP)
    one = build.together(parts(build, activated(0, None), activated(1, "ann")))
    assert one.event["actor"]["session"]["user"] == {"id": "ann"}  # type: ignore[union-attr]
    two = build.together(parts(build, activated(0, "ann"), activated(1, "bob")))
    assert two.event["actor"] is None  # type: ignore[union-attr]
    assert two.evidence["actor"] == "ambiguous"  # type: ignore[union-attr]


def test_a_groups_payload_that_does_not_fit_is_unproven() -> None:
    """Counted by the kind of misfit."""
    build = builder(GROUP.replace("{certificates: items}", "{n: sum(items)}"))
    made = build.together(parts(build, activated(0)))
    assert isinstance(made, Unproven)
    assert made.reason == "the mapping does not fit this row: JMESPathTypeError"


def test_a_row_without_an_item_is_not_proven_to_be_in_the_group() -> None:
    """The others are."""
    build = builder(GROUP.replace("{id: row.id, name: row.name}", "row.uuid"))
    assert build.build(activated(0)) == [
        Unproven("certificates.activated", "the item of the row is not known")
    ]


PROJECT = """
[lookup.projects]
tables = ["project"]
by = "id"
[[rule]]
type = "key.created"
tables = ["key"]
on = "create"
id = "row.id"
project = "{id: row.project_id, name: lookup('projects', row.project_id).name}"
[[rule]]
type = "role.updated"
tables = ["role"]
on = "update"
id = "row.id"
changed = ["permissions"]
payload = '''
{
  id: id,
  changes_requested: {
    permissions_added: minus(row.permissions, before.permissions),
    permissions_removed: minus(before.permissions, row.permissions)
  }
}
'''
"""


def test_a_project_is_named_by_a_lookup() -> None:
    """Without a name if the archive does not know it."""
    rules = mapping.parse(ACTOR + PROJECT, "m.toml")
    context = MemoryContext(rules, rows={"projects": {"p1": {"name": "One"}}})
    step = transition("create", None, {"id": 1, "project_id": "p1"}, table="key")
    (made,) = Builder(rules, context).build(step)
    assert made.event["project"] == {"id": "p1", "name": "One"}  # type: ignore[union-attr]
    (made,) = Builder(rules).build(step)
    assert made.event["project"] == {"id": "p1"}  # type: ignore[union-attr]


def test_sets_are_told_by_their_difference() -> None:
    """What came and what went."""
    before = {"id": 1, "permissions": ["a", "b"]}
    step = transition("update", before, before | {"permissions": ["b", "c"]}, table="role")
    (made,) = builder(PROJECT).build(step)
    assert made.event["role.updated"]["changes_requested"] == {  # type: ignore[union-attr]
        "permissions_added": ["c"],
        "permissions_removed": ["a"],
    }


def test_evidence_tells_the_messages_that_showed_what_this_one_does_not() -> None:
    """The version before, and single columns."""
    step = transition("update", {"id": 1, "x": 0}, {"id": 1, "x": 1}, "reconstructed")._replace(
        before_origin=Origin("t", 0, 3),
        filled={"x": Origin("t", 0, 2)},
    )
    rules = '[[rule]]\ntype = "t"\ntables = ["t"]\non = "update"\nid = "row.id"\n'
    (made,) = builder(rules).build(step)
    proof = made.evidence  # type: ignore[union-attr]
    assert proof["before_from"] == {"topic": "t", "partition": 0, "offset": 3}
    assert proof["reconstructed_columns"] == {"x": {"topic": "t", "partition": 0, "offset": 2}}


EVERY = """
[[rule]]
type = "fires"
tables = ["app.t"]
on = "update"
id = "row.id"
changed = ["a"]
[[rule]]
type = "other.op"
tables = ["t"]
on = "create"
id = "row.id"
[[rule]]
type = "other.table"
tables = ["u"]
on = "update"
id = "row.id"
[[rule]]
type = "unchanged"
tables = ["t"]
on = "update"
id = "row.id"
changed = ["b", "c"]
[[rule]]
type = "untold"
tables = ["t"]
on = "update"
id = "row.id"
changes = [{ field = "b", columns = ["b"] }]
[[rule]]
type = "condition"
tables = ["t"]
on = "update"
id = "row.id"
when = "row.a == `7`"
[[rule]]
type = "no.id"
tables = ["t"]
on = "update"
id = "row.uuid"
[[rule]]
type = "no.object"
tables = ["t"]
on = "update"
id = "row.id"
payload = "row.id"
[[rule]]
type = "misfit"
tables = ["t"]
on = "update"
id = "join(',', row.id)"
"""


def test_each_rule_of_the_table_says_what_it_makes_of_a_step() -> None:
    """And why not, in words; what is built is what is explained."""
    build = builder(EVERY)
    step = transition("update", {"id": 1, "a": 1, "b": 1}, {"id": 1, "a": 2, "b": 1})
    told = build.explain(step)
    assert [one[:4] for one in told] == [
        (1, "fires", "event", "it fires"),
        (2, "other.op", "no", "on is create, this is an update"),
        (4, "unchanged", "no", "none of the columns b, c changed"),
        (5, "untold", "no", "none of the columns b changed"),
        (6, "condition", "no", "when is not true"),
        (7, "no.id", "unproven", "the id of the row is not known"),
        (8, "no.object", "no", "the payload is no object"),
        (9, "misfit", "unproven", "the mapping does not fit this row: JMESPathTypeError"),
    ]
    assert [one.made for one in told if one.made] == [
        one for one in build.build(step) if isinstance(one, AuditEvent)
    ]


def test_a_step_whose_version_before_is_unknown_proves_no_condition() -> None:
    """Only the rules that do not ask."""
    step = transition("update", None, {"id": 1, "a": 2})
    outcomes = {one.type: one.outcome for one in builder(EVERY).explain(step)}
    assert outcomes["fires"] == outcomes["condition"] == "unproven"
    assert outcomes["other.op"] == "no"


def test_a_part_is_explained_as_one() -> None:
    """It is no event by itself."""
    (verdict,) = builder(GROUP).explain(activated(1))
    assert verdict.outcome == "part"
    assert isinstance(verdict.made, Part)


CHANGING = """
[[rule]]
type = "thing.told"
tables = ["thing"]
on = "update"
id = "row.id"
when = "contains(keys(changed), 'a') || row.b == `1`"
changes = [{ field = "a", columns = ["a"] }, { field = "c", columns = ["c"], value = "changed.c" }]
[[rule]]
type = "thing.whole"
tables = ["thing"]
on = "update"
id = "row.id"
changed = ["b", "c"]
payload = "{id: id, told: keys(@)}"
"""

values = st.none() | st.integers(0, 2)
images = st.fixed_dictionaries({"id": st.just(7), "a": values, "b": values, "c": values})


BUILD = builder(CHANGING)


def test_what_a_builder_remembers_of_changed_columns_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A table may have any number of columns, and what was forgotten is told as before."""
    monkeypatch.setattr(rules, "_MOST_KNOWN", 2)
    build, before = builder(CHANGING), dict.fromkeys("abcdefgh", 0) | {"id": 7}
    steps = [transition("update", before, before | {name: 1}, table="thing") for name in "abcdefgh"]
    told = [build.build(step) for step in steps]
    assert len(build._rules._that_may_fire) <= 2
    assert [build.build(step) for step in steps] == told
    assert [len(one) for one in told] == [1, 1, 1, 0, 0, 0, 0, 0]


@given(images, images, st.sampled_from(["exact", "reconstructed", "unknown"]), st.booleans())
def test_a_rule_that_is_passed_over_would_have_told_nothing(
    before: dict[str, Any], after: dict[str, Any], proof: Any, doubtful: bool
) -> None:
    """What is built is what each rule, asked alone and for its reason, makes of the change: also
    by a builder that has built others.
    """
    step = transition("update", None if proof == "unknown" else before, after, table="thing")
    step = step._replace(before_proof=proof, doubtful=frozenset("c" if doubtful else ""))
    verdicts = [one for one in BUILD.explain(step) if one.outcome != "no"]
    found = BUILD.build(step)
    assert [one.made for one in verdicts if one.made] == [
        one for one in found if isinstance(one, AuditEvent)
    ]
    assert [(one.type, one.reason) for one in verdicts if one.outcome == "unproven"] == [
        (one.type, one.reason) for one in found if isinstance(one, Unproven)
    ]
