"""The verdict: what the fold and the replay tell is held against what really happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cdc_archive.history.transition import Transition
from replay_world.expected import Step
from replay_world.schema import CONTEXT, TABLES, Row
from replay_world.world import World

PROVEN = ("exact", "reconstructed")


def check_transitions(world: World, told: Sequence[Transition]) -> None:
    """Every step of every row is there once, in order, right wherever it can be proven.

    Raises:
        AssertionError: says what is not.
    """
    wanted = {
        (number, step.sent, json.dumps(step.key)): step
        for number, all_steps in enumerate(world.steps)
        for step in all_steps
    }
    last: Counter[int] = Counter()
    for transition in told:
        record = transition.change.archived.record
        connector, sent = world.told_by[record.topic, record.partition, record.offset]
        key = None if transition.key is None else json.loads(transition.key)
        step = wanted.pop(
            (connector, sent, json.dumps(_in_order(key, wanted, connector, sent))), None
        )
        what = (
            f"{record.topic}[{record.partition}]@{record.offset} {transition.op} {transition.key}"
        )
        assert step is not None, f"{what}: not a step of this row, or told twice"
        _check_order(world, connector, step, last, what)
        _check(world, transition, step, what)
    assert not wanted, f"missing: {[(s.table, s.op, s.key, s.order) for s in wanted.values()][:3]}"


def _in_order(key: Row | None, wanted: Any, connector: int, sent: int) -> Row | None:
    """The key with its columns in the table's order: equal keys are equal text then."""
    for one, n, text in wanted:
        if (one, n) == (connector, sent) and json.loads(text) == key:
            return json.loads(text)
    return key


def _check_order(world: World, connector: int, step: Step, last: Counter[int], what: str) -> None:
    within = step.order[1] if world.profile.metadata else step.change.lsn
    place = step.order[0] * (1 << 80) + within
    assert place >= last[connector], f"{what}: stands after what came later in the database"
    last[connector] = place


def _check(world: World, told: Transition, step: Step, what: str) -> None:
    assert (told.op, told.table) == (step.op, step.table), f"{what}: is {step.op} of {step.table}"
    check_before(told.before, told.before_proof, step, what)
    if step.after is None:
        assert told.after is None, f"{what}: a deleted row has no version after"
    else:
        assert told.after is not None, f"{what}: has no version after"
        shown = told.after
        if step.loose:
            shown = {n: v for n, v in shown.items() if n in (step.proven_after or {})}
        _equal(shown, step.after, f"{what}: after")
        missing = step.after.keys() - told.after.keys()
        assert missing == told.unknown_columns, f"{what}: unknown columns are not told"
        proven = step.proven_after or {}
        assert not missing & proven.keys(), f"{what}: {missing & proven.keys()} is in the archive"
    if step.op == "update":
        check_changed(told.changed, told.before, step, what)
    if not step.loose:
        _check_origins(world, told, step, what)


def check_before(before: Row | None, proof: str, step: Step, what: str) -> None:
    """The version before, and what is claimed of it."""
    if step.op == "create":
        assert (before, proof) == (None, "none"), f"{what}: nothing was before a creation"
        return
    assert step.before is not None
    if proof == "unknown":
        assert before is None, f"{what}: an unknown version is not guessed"
    elif proof == "key_only":
        key = {name: step.before[name] for name in step.key or ()}
        assert before == key, f"{what}: more than the key is claimed"
    elif not step.loose:
        assert before is not None, f"{what}: {proof}, but of nothing"
        _equal(before, step.before, f"{what}: before ({proof})")
        if step.proven_before is None:
            assert before == step.before, f"{what}: {proof}, but nothing proves it"
    if step.proven_before is not None:
        assert proof in PROVEN, f"{what}: the version before is in the archive"
        lacks = step.proven_before.keys() - (before or {}).keys()
        assert not lacks, f"{what}: {lacks} of the version before is in the archive"


def check_changed(changed: Any, before: Row | None, step: Step, what: str) -> None:
    """No column is said to differ that does not; none that provably differs is left out."""
    assert step.before is not None
    assert step.after is not None
    if step.loose:
        return
    really = {name for name, value in step.after.items() if step.before[name] != value}
    if changed is None:
        assert step.proven_before is None, f"{what}: what changed can be proven"
        return
    assert not set(changed) - really, f"{what}: {set(changed) - really} did not change"
    proven = {n for n in really if n in (step.proven_before or {}) and n in step.proven_after}
    assert not proven - set(changed), f"{what}: {proven - set(changed)} changed"


def _equal(told: Row, true: Row, what: str) -> None:
    wrong = {name for name, value in told.items() if name not in true or true[name] != value}
    shown = {name: (told[name], true.get(name)) for name in sorted(wrong)}
    assert not wrong, f"{what}: told and true {str(shown)[:300]}"


def _check_origins(world: World, told: Transition, step: Step, what: str) -> None:
    """Each message that is named as a witness shows the value."""
    if told.before_origin is not None:
        shown = _shown(world, told.before_origin)
        assert step.table.endswith(f".{_table(world, told.before_origin)}"), f"{what}: other table"
        for name, value in (told.before or {}).items():
            column = shown.get(name, value)
            assert column == value or _is_mark(step, name, column), (
                f"{what}: the message named for its version before shows another {name}"
            )
    for name, origin in told.filled.items():
        assert told.after is not None
        assert _shown(world, origin).get(name) == told.after[name], (
            f"{what}: the message named for {name} does not show it"
        )


def _is_mark(step: Step, name: str, value: Any) -> bool:
    table = next(one for one in (*TABLES, CONTEXT) if one.name == step.name)
    return any(one.name == name and one.placeholder == value for one in table.columns)


def _shown(world: World, origin: Any) -> Row:
    value = world.at[origin.topic, origin.partition, origin.offset].value
    assert value is not None
    body = json.loads(value)
    return body["after"] or body["before"] or {}


def _table(world: World, origin: Any) -> str:
    table = world.sent((origin.topic, origin.partition, origin.offset)).table
    return "" if table is None else table.name
