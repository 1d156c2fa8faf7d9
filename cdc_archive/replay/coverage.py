"""How many changes of each table tell who made them, and which image they have of before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from cdc_archive.archive.reader.window import Window
from cdc_archive.audit import columns
from cdc_archive.audit.actor import decided
from cdc_archive.audit.table_names import fits_any
from cdc_archive.history.transition import NOT_APPLICABLE
from cdc_archive.replay.trial import Trial


@dataclass
class Coverage:
    """A table in a window: its changes, by actor status, by why there is none, by proof of before.

    A change that has no version before (a created row) is not in `proofs`.
    """

    table: str
    changes: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    proofs: Counter[str] = field(default_factory=Counter)
    with_actor: int = 0


def coverage(trial: Trial, window: Window) -> Iterator[Coverage]:
    """Of each table that has changes in the window and that a rule of the mapping is about.

    Args:
        trial: of the mapping; everything before the window is read as well.
        window: event times.
    """
    named = columns.tables_named(trial.rules)
    found: dict[str, Coverage] = {}
    for step in trial.steps(lambda table: fits_any(table, named), window.end_us):
        if not window.holds(step.change.archived.record.event_time_us):
            continue
        for transition in step.transitions:
            if not trial.builder.knows(transition.table):
                continue
            one = found.setdefault(transition.table, Coverage(transition.table))
            actor = decided(trial.builder.looks(transition))
            one.changes += 1
            one.statuses[actor.status] += 1
            one.with_actor += actor.actor is not None
            if actor.actor is None:
                one.reasons[actor.reason] += 1
            if transition.before_proof != NOT_APPLICABLE:
                one.proofs[transition.before_proof] += 1
    yield from (found[table] for table in sorted(found))
