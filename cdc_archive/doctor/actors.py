"""Whether changes tell who made them, table by table. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from cdc_archive.doctor.finding import Finding, error, note, or_passed, passed, warning
from cdc_archive.doctor.tables import quoted

_NOBODY = error(
    "actors.none",
    "Not one change of this table tells who made it: audit events of it will have no actor.",
    "docs/actors.md",
)
_SOME = warning(
    "actors.some",
    "Audit events of these changes will have no actor: some way of writing to the table does not "
    "tell who acts.",
    "docs/actors.md",
)
_NOT_BEFORE = note(
    "actors.before-image",
    "What these changes changed is put together from earlier ones or not known: not exact.",
    "docs/history.md",
)
_NO_CHANGES = note(
    "actors.no-changes", "Without changes in the window nothing can be said of who makes them."
)
_MANY: Final = 3
_PROOFS: Final = ("reconstructed", "key_only", "unknown")


class ActorFacts(NamedTuple):
    """A table in a window.

    Its changes, those with an actor, the reasons of those without, and how changes of rows that
    were there before know the version before (`exact`, `reconstructed`, `key_only`, `unknown`).
    """

    table: str
    changes: int
    with_actor: int
    reasons: Mapping[str, int]
    proofs: Mapping[str, int]


def findings(facts: Sequence[ActorFacts], hours: float, mapping: str) -> Iterator[Finding]:
    """Look at tables that a mapping is about.

    Args:
        facts: those that had changes.
        hours: length of the window.
        mapping: its name.
    """
    if not facts:
        yield _NO_CHANGES.found(
            f"no change of a table of mapping {mapping} in the last {hours:g} hours of the archive",
            "cdc-archive doctor --only actors --sample-hours 720",
        )
    for one in facts:
        seen = f"all {one.changes:,} changes tell who made them"
        yield from or_passed(_of_actor(one, mapping), "actors", seen, one.table)
        yield from _of_before(one)


def _of_actor(one: ActorFacts, mapping: str) -> Iterator[Finding]:
    if one.with_actor == one.changes:
        return
    share = 100 * one.with_actor // one.changes
    told = sorted(one.reasons.items(), key=lambda pair: -pair[1])[:_MANY]
    reasons = "; ".join(f"{count:,}: {reason}" for reason, count in told)
    check = _SOME if one.with_actor else _NOBODY
    yield check.found(
        f"{one.with_actor:,} of {one.changes:,} changes ({share} %) tell who made them ({reasons})",
        f"Write the actor in the same transaction (docs/actors.md), or name where it stands in the "
        f"mapping {mapping}; see single changes with cdc-archive mapping explain.",
        one.table,
    )


def _of_before(one: ActorFacts) -> Iterator[Finding]:
    inexact = {proof: one.proofs[proof] for proof in _PROOFS if one.proofs.get(proof)}
    if inexact:
        counts = ", ".join(f"{count:,} {proof}" for proof, count in inexact.items())
        yield _NOT_BEFORE.found(
            f"image before: {one.proofs.get('exact', 0):,} exact, {counts}",
            f"ALTER TABLE {quoted(_in_schema(one.table))} REPLICA IDENTITY FULL; -- PostgreSQL",
            one.table,
        )
    elif one.proofs:
        yield passed("actors", "every image before is exact", one.table)


def _in_schema(table: str) -> str:
    """A table of the archive, without its database."""
    return table.split(".", 1)[1] if table.count(".") > 1 else table
