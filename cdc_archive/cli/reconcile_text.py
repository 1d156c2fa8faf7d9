"""What a reconciliation found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from cdc_archive.cli import moments, output
from cdc_archive.reconcile import tally
from cdc_archive.reconcile.reconciliation import Question, Reconciliation
from cdc_archive.reconcile.tally import Tally
from cdc_archive.replay.report import Report
from cdc_archive.telemetry.terminal import printable

_ALWAYS: Final = (tally.EXPECTED, tally.PAIRED, tally.MISSING)
_NEVER: Final = (tally.UNREADABLE, tally.OUT_OF_WINDOW)
"""What is of no type and service, or of no concern."""
_SHOWN: Final = 20
"""So many lines of a list, at most."""
_NOBODY: Final = "(not told)"


def report(
    question: Question, found: Tally, read: Mapping[str, int], replayed: Report, written: int
) -> dict[str, Any]:
    """All that is known, as JSON.

    Args:
        question: what was compared.
        found: the counts.
        read: how many entries each published log had.
        replayed: the account of the replay.
        written: events written by --backfill.
    """
    window = question.window
    return {
        "from": None if window.start_us is None else moments.text(window.start_us),
        "to": None if window.end_us is None else moments.text(window.end_us),
        "tolerance_seconds": question.tolerance_us / 1_000_000,
        "reconciled": found.faults == 0,
        **found.to_dict(),
        "published_logs": dict(read),
        "backfilled": written,
        "changes_complete": replayed.complete,
        "replay": replayed.to_dict(),
    }


def tables(found: Tally, views: Sequence[str], *, stderr: bool) -> None:
    """The counts as tables, one for each of the views."""
    shown_kinds = [one for one in tally.KINDS if one not in _NEVER]
    columns = [one for one in shown_kinds if one in _ALWAYS or found.all[one]]
    for view in views:
        rows = found.view(view)
        shown = [
            (key or _NOBODY, *(counts.get(one, 0) for one in columns))
            for key, counts in rows.items()
            if any(counts.get(one) for one in columns)
        ]
        total = sum((Counter(counts) for counts in rows.values()), Counter())
        shown.append(("all", *(total[one] for one in columns)))
        titles = [one.replace("_", " ") for one in columns]
        output.table((view, *titles), shown, stderr=stderr)


def notes(reconciliation: Reconciliation, replayed: Report) -> None:
    """What the tables do not say, on stderr."""
    found = reconciliation.tally
    _listed("fields that differ", found.fields)
    _listed("fields of payloads that no change proves (not compared)", found.extras)
    if found.all[tally.UNREADABLE]:
        output.say(f"  entries of the log that cannot be read: {found.all[tally.UNREADABLE]:,}")
        shown = reconciliation.unreadable
        for place, reason in islice(shown, _SHOWN):
            output.say(f"    {printable(place)}: {printable(reason)}")
    if found.all[tally.OUTSIDE]:
        output.say(
            f"  outside, of types that the archived changes cannot prove (no rule makes them, no "
            f"table of theirs is archived, or they are not asked for): {found.all[tally.OUTSIDE]:,}"
        )
    if found.all[tally.UNPROVEN]:
        output.say(
            "  unproven, for the archive does not hold what would tell whether they happened: "
            f"{found.all[tally.UNPROVEN]:,}"
        )
    if not replayed.complete:
        output.say("  the archive does not hold all changes; what it lacks:")
        for what, count in (
            ("recorded losses", len(replayed.gaps)),
            ("messages in quarantine", replayed.quarantined),
            ("messages left out by decode.skip_topics", replayed.skipped),
            ("rows that cannot be read", replayed.unreadable_rows),
            ("events that may or may not have happened", replayed.unproven.total()),
        ):
            if count:
                output.say(f"    {count:>8,}  {what}")


def _listed(title: str, counts: Counter[str]) -> None:
    if not counts:
        return
    output.say(f"  {title}:")
    for name, count in sorted(counts.items(), key=_often_first)[:_SHOWN]:
        output.say(f"    {count:>8,}  {printable(name)}")
    if len(counts) > _SHOWN:
        output.say(f"    ... and {len(counts) - _SHOWN:,} more")


def _often_first(one: tuple[str, int]) -> tuple[int, str]:
    return -one[1], one[0]


def verdict(found: Tally) -> str:
    """What keeps the log from being reconciled, in words."""
    told: Iterable[str] = (f"{found.all[one]:,} {one}" for one in tally.FAULTS if found.all[one])
    return ", ".join(told)
