"""What `cdc-archive mapping` shows to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from cdc_archive.audit.actor import Look
from cdc_archive.audit.build import AuditEvent, Part, Verdict
from cdc_archive.cli import output
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.history.transition import Transition
from cdc_archive.replay.explained import Explained, ExplainedStep
from cdc_archive.replay.fitness import Fitness
from cdc_archive.telemetry.terminal import printable

_LONG: Final = 120
_RULES: Final = ("rule", "type", "on", "tables", "changes", "events", "parts", "unproven")


def show_fitness(fitness: Fitness) -> None:
    """Tables of rules and actor sources, then what does not fit."""
    rows = [fit.to_dict() for fit in fitness.rules]
    shown = [row | {"tables": ", ".join(row["tables"])} for row in rows]
    output.table(_RULES, [[row[name] for name in _RULES] for row in shown])
    output.table(
        ("actor source", "asked", "gave an actor"),
        [
            [f"{number} {fit.source.kind}", fit.asked, fit.gave]
            for number, fit in enumerate(fitness.sources, 1)
        ],
    )
    for one in fitness.findings():
        _line(f"{'note' if one.note else 'finding'}: {one.where}: {one.what}")


def show_explained(found: Explained) -> None:
    """The record, its steps, and what becomes of each."""
    record = found.archived.record
    _line(
        f"{record.topic}[{record.partition}] offset {record.offset}: op {record.op} "
        f"on {record.table}, {_time(record.event_time_us)}"
    )
    _line(f"  in {found.archived.file}, commit {found.archived.sequence}")
    for told in found.testimony:
        _line(f"  actor source {told.number}: tells of its transaction {_value(told.value)}")
    if found.why:
        _line(f"no step of a row: {found.why}")
    for step in found.steps:
        _show_step(step)


def _show_step(step: ExplainedStep) -> None:
    transition = step.transition
    _line(f"{transition.op} of {_short(transition.key or 'a row without a key')}")
    _line(f"  version before: {_before(transition)}")
    before, row = transition.before or {}, transition.row
    for name in sorted(transition.changed or ()):
        _line(f"  changed {name}: {_value(before.get(name))} -> {_value(row.get(name))}")
    if not step.verdicts:
        _line("  no rule is about this table")
    for verdict in step.verdicts:
        _line(f"  rule {verdict.number} {verdict.type}: {verdict.outcome}: {verdict.reason}")
    for number, look in enumerate(step.looks, 1):
        _line(f"  actor source {number}, {_look(look)}")
    for verdict in step.verdicts:
        _show_made(verdict)


def _show_made(verdict: Verdict) -> None:
    made = verdict.made
    if isinstance(made, AuditEvent):
        _line(f"event {_json(made.event)}")
    elif isinstance(made, Part):
        _line(f"item of the {made.type} of its transaction {_json(made.item)}")


def _before(transition: Transition) -> str:
    origin = transition.before_origin
    if origin is None:
        return transition.before_proof
    where = f"{origin.topic}[{origin.partition}] offset {origin.offset}"
    told = f"{transition.before_proof}, from {where}"
    if transition.before_doubt is not None:
        told += f"; maybe not the last one: {transition.before_doubt} between"
    return told


def _look(look: Look) -> str:
    told = f"{look.place}: {look.status}"
    if look.actor is not None:
        told += f": {_json(look.actor)}"
    elif look.reason:
        told += f": {look.reason}"
    if look.origin is not None:
        told += f" (from {look.origin.topic}[{look.origin.partition}] offset {look.origin.offset})"
    return told


def _time(us: int | None) -> str:
    if us is None:
        return "at an untold time"
    try:
        return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return f"{us} microseconds after 1970"


def _value(value: Any) -> str:
    return _short(_json(value))


def _json(value: Any) -> str:
    return exact_json(value).decode()


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}... ({len(text):,} characters)"


def _line(text: str) -> None:
    output.line(printable(text))
