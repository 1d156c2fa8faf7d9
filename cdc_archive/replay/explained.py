"""What a mapping makes of one archived record, and why: its steps, the rules, the actor."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from cdc_archive.archive.reader import as_json
from cdc_archive.audit.actor import Look
from cdc_archive.audit.beside import Witnesses
from cdc_archive.audit.build import AuditEvent, Part, Verdict
from cdc_archive.audit.mapping import Mapping
from cdc_archive.changelog.record import OP_MESSAGE, ArchivedRecord
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.history.fold import ReadRow
from cdc_archive.history.order import ROWS
from cdc_archive.history.transition import Origin, Transition
from cdc_archive.replay.trial import Step, Trial

MOST_ROWS: Final = 100
"""How many rows that a TRUNCATE ended are shown."""


class ExplainedStep(NamedTuple):
    """A row's step, what each rule of its table makes of it, and what the actor sources gave."""

    transition: Transition
    verdicts: list[Verdict]
    looks: list[Look]


class Testimony(NamedTuple):
    """What the record says as actor source `number`, counted from 1, of its transaction."""

    number: int
    value: Any


class Explained(NamedTuple):
    """An archived record explained. `why` tells why it makes no step, empty if it makes one."""

    archived: ArchivedRecord
    why: str
    steps: list[ExplainedStep]
    testimony: list[Testimony]


def explain(trial: Trial, archived: ArchivedRecord, read: ReadRow) -> Explained:
    """Follow the record's table from its beginning up to the record.

    Args:
        trial: of the mapping.
        archived: the record.
        read: reads row images.
    """
    record = archived.record
    told = _testimony(trial.rules, archived, read)
    if record.op not in ROWS:
        return Explained(archived, f"a record of op {record.op} tells of no row", [], told)
    place = Origin.of(archived)
    for step in trial.steps(lambda table: table == record.table):
        if Origin.of(step.change.archived) == place:
            builder = trial.builder
            steps = [
                ExplainedStep(one, builder.explain(one), builder.looks(one))
                for one in islice(step.transitions, MOST_ROWS)
            ]
            return Explained(archived, "" if steps else _why(step), steps, told)
    return Explained(archived, "the record is not among the changes of its table", [], told)


def _why(step: Step) -> str:
    op = step.change.archived.record.op
    if step.redelivered:
        return "the same change stands earlier in the archive: this is a redelivery"
    if op == "r":
        return "a snapshot row is a state, not a change"
    if op == "t":
        return "the archive knows of no row that the TRUNCATE ended"
    if op == "d":
        return "the first half of a change of key: its create follows"
    return "the row cannot be read, or what happened to it cannot be told"


def _testimony(rules: Mapping, archived: ArchivedRecord, read: ReadRow) -> list[Testimony]:
    witnesses, record = Witnesses(rules), archived.record
    is_message = record.op == OP_MESSAGE
    numbers = witnesses.messages if is_message else witnesses.of_table(record.table)[0]
    image = read(archived, record.after) if numbers else None
    told = ((number, witnesses.told(number, record, image)) for number in numbers)
    return [Testimony(number + 1, value) for number, value in told if value is not None]


def as_line(explained: Explained) -> msgspec.Raw:
    """As one JSON object; values as exact as they are."""
    return _exact(_told(explained))


def _told(explained: Explained) -> dict[str, Any]:
    return {
        "record": as_json.view(explained.archived),
        "why_no_step": explained.why or None,
        "testimony": [
            {"actor_source": one.number, "value": one.value} for one in explained.testimony
        ],
        "steps": [_step(one) for one in explained.steps],
    }


def _step(one: ExplainedStep) -> dict[str, Any]:
    transition = one.transition
    before, row = transition.before or {}, transition.row
    return {
        "op": transition.op,
        "table": transition.table,
        "key": transition.key,
        "before": transition.before_proof,
        "before_from": _where(transition.before_origin),
        "before_doubt": transition.before_doubt,
        "changed": [
            {"column": name, "old": before.get(name), "new": row.get(name)}
            for name in sorted(transition.changed or ())
        ],
        "unknown_columns": sorted(transition.unknown_columns),
        "rules": [_verdict(verdict) for verdict in one.verdicts],
        "actor_sources": [_look(number, look) for number, look in enumerate(one.looks, 1)],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    made = verdict.made
    told: dict[str, Any] = {
        "rule": verdict.number,
        "type": verdict.type,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
    }
    if isinstance(made, AuditEvent):
        told |= {"event": made.event, "evidence": made.evidence}
    elif isinstance(made, Part):
        told |= {"item": made.item}
    return told


def _look(number: int, look: Look) -> dict[str, Any]:
    return {
        "source": number,
        "place": look.place,
        "status": look.status,
        "actor": look.actor,
        "reason": look.reason or None,
        "from": _where(look.origin),
    }


def _where(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    return {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset}


def _exact(value: Any) -> msgspec.Raw:
    return msgspec.Raw(exact_json(value))
