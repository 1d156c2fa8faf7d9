"""The verdict on a replay: which events must be there, in which order, what they say of whom.

Worked out from the steps of `expected`, with no code of cdc_archive.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from replay_world.expected import Step, tells_by
from replay_world.rules import CREATED_TOGETHER, ROW_TABLES
from replay_world.schema import Row
from replay_world.world import World


class Telling(Protocol):
    """An event and its evidence."""

    @property
    def event(self) -> dict[str, Any]: ...
    @property
    def evidence(self) -> dict[str, Any]: ...


class Who(NamedTuple):
    """An actor and its status."""

    actor: Row | None
    status: str


class Window(NamedTuple):
    """From and before which time, in microseconds; None: no bound."""

    start_us: int | None = None
    end_us: int | None = None

    def holds(self, time_us: int) -> bool:
        """Whether a time lies in it."""
        after = self.start_us is None or self.start_us <= time_us
        return after and (self.end_us is None or time_us < self.end_us)


EVERYTHING = Window()


def check_events(world: World, told: Sequence[Telling], window: Window = EVERYTHING) -> None:
    """Each event of the window is there once, right, and in the order of commits.

    Raises:
        AssertionError: says what is not.
    """
    ids = Counter(one.event["id"] for one in told)
    assert max(ids.values(), default=1) == 1, f"ids told twice: {ids.most_common(2)}"
    steps = _by_message(world, window)
    groups = _groups(world, window)
    last: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for one in told:
        at = one.evidence["topic"], one.evidence["partition"], one.evidence["offset"]
        what = f"{one.event['type']} {at[0]}[{at[1]}]@{at[2]} {one.evidence['key']}"
        connector, sent = world.told_by[at]
        key = None if one.evidence["key"] is None else json.loads(one.evidence["key"])
        if one.event["type"].startswith("row."):
            step = steps.pop((connector, sent, _text(key)), None)
            assert step is not None, f"{what}: told twice, or there is no such step"
            _check_row(one, step, what)
            place = step.order[0], _within(world, step)
        else:
            first = _check_group(one, groups, connector, world.sent(at).transaction, what)
            place = first.order[0], _within(world, first)
        assert place >= last[connector], f"{what}: stands after what came later"
        last[connector] = place
    left = [(s.table, s.op, s.key, s.order) for s in steps.values()]
    assert not left, f"missing events: {left[:3]}"
    lost = [
        (kind, xid) for (kind, _, xid), steps in groups.items() if not any(s.loose for s in steps)
    ]
    assert not lost, f"missing events of transactions: {lost[:3]}"


def _text(key: Row | None) -> str:
    return json.dumps(key, sort_keys=True)


def _within(world: World, step: Step) -> int:
    return step.order[1] if world.profile.metadata else step.change.lsn


def _by_message(world: World, window: Window) -> dict[tuple[int, int, str], Step]:
    return {
        (number, step.sent, _text(step.key)): step
        for number, steps in enumerate(world.steps)
        for step in steps
        if step.name in ROW_TABLES and window.holds(step.transaction.time_us)
    }


def _groups(world: World, window: Window) -> dict[tuple[str, int, int], list[Step]]:
    """The members of each event of a whole transaction, by its type, connector and transaction."""
    found: dict[tuple[str, int, int], list[Step]] = {}
    for number, steps in enumerate(world.steps):
        for step in steps:
            kind = _group_of(step)
            if kind is not None and window.holds(step.transaction.time_us):
                found.setdefault((kind, number, step.transaction.number), []).append(step)
    return found


def _group_of(step: Step) -> str | None:
    if step.op == "create" and step.name in CREATED_TOGETHER:
        return "things.created"
    if step.op == "update" and step.name == "certificate":
        if step.loose:
            return "certificates.activated"
        before = step.proven_before
        if before is not None and step.after is not None and not before["active"]:
            return "certificates.activated" if step.after["active"] else None
    return None


def _check_group(one: Telling, groups: Any, connector: int, transaction: Any, what: str) -> Step:
    kind = one.event["type"]
    members = groups.pop((kind, connector, transaction.number), None)
    assert members is not None, f"{what}: told twice, or no row of the transaction matches"
    (items,) = one.event[kind].values()
    told = [(item.get("table", members[0].table), item["id"]) for item in items]
    true = [(step.table, (step.key or {})["id"]) for step in members]
    if not any(step.loose for step in members):
        assert Counter(told) == Counter(true), f"{what}: has rows {told}, not {true}"
        places = {(m["topic"], m["partition"], m["offset"]) for m in one.evidence["members"]}
        assert len(places) == len(members), f"{what}: names {len(places)} of {len(members)} rows"
    return members[0]


def _check_row(one: Telling, step: Step, what: str) -> None:
    event, proof = one.event, one.evidence
    payload = event[event["type"]]
    assert event["type"] == f"row.{step.op}d", f"{what}: is {step.op}"
    assert payload["id"] == step.table, f"{what}: of {payload['id']}"
    assert event["effective_at"] == step.transaction.time_us // 1_000_000, f"{what}: time"
    if step.loose:
        return
    if proof["before"] != "key_only":
        _agrees(payload.get("before"), step.before, step.proven_before, f"{what}: before")
    _agrees(payload.get("after"), step.after, step.proven_after, f"{what}: after")
    if step.proven_before is not None:
        assert proof["before"] in ("exact", "reconstructed"), f"{what}: before is proven"
        _check_changed(payload["changed"], step, what)
    who, wanted = Who(event["actor"], proof["actor"]), expected_actor(step)
    assert who.actor == wanted.actor, f"{what}: made by {who}, not {wanted}"
    assert wanted.actor is None or who.status == wanted.status, f"{what}: {who}, not {wanted}"
    assert event["actor"] is not None or proof["actor_reason"], f"{what}: no actor and no reason"
    _check_project(event.get("project"), step, what)


def _agrees(told: Row | None, true: Row | None, proven: Row | None, what: str) -> None:
    """Null columns are left out of an event, as unknown ones are."""
    told, whole = told or {}, true or {}
    wrong = {name for name, value in told.items() if whole.get(name) != value}
    assert not wrong, f"{what}: {sorted(wrong)} is not {[whole.get(n) for n in sorted(wrong)]}"[
        :400
    ]
    lacks = {n for n, v in whole.items() if v is not None and n in (proven or {}) and n not in told}
    assert not lacks, f"{what}: lacks {lacks}"


def _check_changed(told: list[str], step: Step, what: str) -> None:
    if step.op != "update":
        return
    assert step.before is not None
    assert step.after is not None
    really = {name for name, value in step.after.items() if step.before[name] != value}
    assert not set(told) - really, f"{what}: {set(told) - really} did not change"
    proven = {
        n for n in really if n in (step.proven_before or {}) and n in (step.proven_after or {})
    }
    assert not proven - set(told), f"{what}: {proven - set(told)} changed"


def expected_actor(step: Step) -> Who:
    """What the sources of the mapping say, the first of them first; who may be of an earlier change
    comes last.
    """
    found, done = _by_columns(step), step.transaction
    if found is not None and found.status == "exact":
        return found
    for way in ("message", "row"):
        if tells_by(step, way):
            if done.ambiguous:
                return found or Who(None, "ambiguous")
            return Who(done.actor, "exact")
    if tells_by(step, "header"):
        return Who(done.actor, "exact")
    return found or Who(None, "missing")


def _by_columns(step: Step) -> Who | None:
    if step.after is None or "created_by" not in step.after:
        return None
    if step.op == "create":
        value = step.after["created_by"]
        return None if value is None else Who(json.loads(value), "exact")
    for column in ("deleted_by", "updated_by"):
        value = step.after[column]
        if value is None:
            continue
        if step.proven_before is None:
            return Who(json.loads(value), "unverified")
        if step.proven_before[column] != value:
            return Who(step.transaction.actor, "exact")
    return None


def _check_project(told: Row | None, step: Step, what: str) -> None:
    """The project's name as it was then; none if the archive does not know it."""
    number = (
        step.row.get("project_id")
        if step.op != "delete"
        else (step.proven_before or {}).get("project_id")
    )
    if number is None:
        assert told is None, f"{what}: has a project"
        return
    assert told is not None, f"{what}: has no project"
    true, known = step.true_projects.get(number), step.projects.get(number)
    wanted = None if true is None else true["name"]
    if step.has_projects:
        assert told.get("name") in (wanted, None), f"{what}: project {told}, then {wanted}"
    if known is not None:
        assert told.get("name") == wanted, f"{what}: the name of project {number} was known"
