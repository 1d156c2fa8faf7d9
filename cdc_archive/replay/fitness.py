"""Whether a mapping fits an archive: what its rules match, what they name that is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

from cdc_archive.archive.reader.window import Window
from cdc_archive.audit import columns
from cdc_archive.audit.actor_rules import ActorSource
from cdc_archive.audit.columns import Columns, Need
from cdc_archive.audit.mapping import Mapping, Rule
from cdc_archive.audit.table_names import fits_any
from cdc_archive.changelog.record import ArchivedRecord, JsonText
from cdc_archive.decode.images import Row
from cdc_archive.history.fold import ReadRow
from cdc_archive.history.transition import Transition
from cdc_archive.replay.trial import Trial


class Finding(NamedTuple):
    """What of a mapping does not fit. A `note` may be meant so: an alternative, a fallback."""

    where: str
    what: str
    note: bool = False


class SeenColumns:
    """Reads row images, and remembers which columns each table's rows have.

    Args:
        read: reads row images.
    """

    def __init__(self, read: ReadRow) -> None:
        self._read = read
        self._of: dict[str, set[str]] = {}

    def read(self, archived: ArchivedRecord, text: JsonText | None) -> Row | None:
        """See `ReadRow`."""
        image = self._read(archived, text)
        if image is not None:
            self._of.setdefault(archived.record.table, set()).update(image)
        return image

    def of(self, tables: list[str]) -> Columns:
        """The columns that rows of any of these tables have."""
        return frozenset().union(*(self._of.get(table, ()) for table in tables))


@dataclass
class RuleFit:
    """A rule, counted from 1: the tables that it fits, how many of their changes are of its
    operation, what became of these, and why the others are none.
    """

    number: int
    rule: Rule
    tables: list[str]
    changes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.number,
            "type": self.rule.type,
            "on": self.rule.on,
            "tables": self.tables,
            "changes": self.changes,
            "events": self.outcomes["event"],
            "parts": self.outcomes["part"],
            "unproven": self.outcomes["unproven"],
            "reasons": dict(self.reasons.most_common()),
        }


@dataclass
class SourceFit:
    """An actor source: how many changes asked it, and how many it gave an actor."""

    source: ActorSource
    asked: int = 0
    gave: int = 0


class Fitness:
    """Tries a mapping on an archive.

    Args:
        trial: of the mapping, whose rows are read by `seen`.
        seen: knows the columns of what was read.
    """

    def __init__(self, trial: Trial, seen: SeenColumns) -> None:
        self._trial = trial
        self._seen = seen
        self._mapping: Mapping = trial.rules
        self.tables = trial.tables()
        self.changes: dict[str, Counter[str]] = {}
        self.rules = [
            RuleFit(number, rule, self._fitting(rule.tables))
            for number, rule in enumerate(self._mapping.rule, 1)
        ]
        self.sources = [SourceFit(source) for source in self._mapping.actor.source]

    def try_on(self, window: Window) -> None:
        """Go through the changes of the window; everything before it is read as well."""
        named = columns.tables_named(self._mapping)
        for step in self._trial.steps(lambda table: fits_any(table, named), window.end_us):
            if window.holds(step.change.archived.record.event_time_us):
                for transition in step.transitions:
                    self._take(transition)

    def _take(self, transition: Transition) -> None:
        self.changes.setdefault(transition.table, Counter())[transition.op] += 1
        made = False
        for verdict in self._trial.builder.explain(transition):
            fit = self.rules[verdict.number - 1]
            if fit.rule.on != transition.op:
                continue
            fit.changes += 1
            fit.outcomes[verdict.outcome] += 1
            if verdict.outcome in ("no", "unproven"):
                fit.reasons[verdict.reason] += 1
            made = made or verdict.made is not None
        looks = self._trial.builder.looks(transition) if made else []
        for source, look in zip(self.sources, looks, strict=False):
            source.asked += 1
            source.gave += look.actor is not None

    def findings(self) -> list[Finding]:
        """What does not fit, in the order of the mapping."""
        found = [one for fit in self.rules for one in self._of_rule(fit)]
        for number, source in enumerate(self.sources, 1):
            found += self._of_source(f"actor.source {number}", source)
        for name, lookup in self._mapping.lookup.items():
            found += self._of_named(f"lookup.{name}", lookup.tables, [lookup.by])
        for number, hints in enumerate(self._mapping.hints, 1):
            found += self._of_named(f"types {number}", hints.tables, [*hints.columns])
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        found = self.findings()
        return {
            "mapping": self._mapping.name,
            "changes": {table: dict(ops) for table, ops in sorted(self.changes.items())},
            "rules": [fit.to_dict() for fit in self.rules],
            "actor_sources": [
                {"source": number, "kind": fit.source.kind, "asked": fit.asked, "gave": fit.gave}
                for number, fit in enumerate(self.sources, 1)
            ],
            "findings": [{"where": one.where, "what": one.what} for one in found if not one.note],
            "notes": [{"where": one.where, "what": one.what} for one in found if one.note],
        }

    def _of_rule(self, fit: RuleFit) -> Iterator[Finding]:
        where = f"rule {fit.number} ({fit.rule.type})"
        if not fit.tables:
            yield Finding(where, self._no_table(fit.rule.tables))
        yield from self._lacking(where, fit.tables, lambda has: columns.of_rule(fit.rule, has))

    def _of_source(self, where: str, fit: SourceFit) -> Iterator[Finding]:
        source = fit.source
        if source.row is not None and not self._fitting(source.row):
            yield Finding(where, self._no_table(source.row))
            return
        for op in ("create", "update", "delete") if source.columns is not None else ():
            tables = {table for one in self.rules if one.rule.on == op for table in one.tables}

            def needs(has: Columns, op: str = op) -> Iterator[Need]:
                return columns.of_source(source, op, has)

            yield from self._lacking(where, sorted(tables), needs)
        if fit.asked and not fit.gave:
            yield Finding(where, f"was asked for {fit.asked:,} changes and named no actor")
        elif not fit.asked and any(one.asked for one in self.sources):
            yield Finding(where, "was never asked: another source always decided", note=True)

    def _of_named(
        self, where: str, patterns: Sequence[str], names: Sequence[str]
    ) -> Iterator[Finding]:
        tables = self._fitting(patterns)
        if not tables:
            yield Finding(where, self._no_table(patterns))
        has = self._seen.of(tables)
        missing: dict[str, list[str]] = {name: [] for name in names if has and name not in has}
        if missing:
            yield Finding(where, _no_row_has(tables, missing, has))

    def _lacking(
        self, where: str, tables: list[str], needs: Callable[[Columns], Iterator[Need]]
    ) -> Iterator[Finding]:
        has = self._seen.of(tables)
        missing: dict[str, list[str]] = {}
        spare: dict[str, list[str]] = {}
        for need in needs(has) if has else ():
            for name in need.missing:
                missing.setdefault(name, []).append(need.key)
            for name in need.alternatives:
                spare.setdefault(name, []).append(need.key)
        if missing:
            yield Finding(where, _no_row_has(tables, missing, has))
        spare = {name: keys for name, keys in spare.items() if name not in missing}
        if spare:
            yield Finding(
                where, _no_row_has(tables, spare, ()) + "; alternatives are there", note=True
            )

    def _no_table(self, patterns: Sequence[str]) -> str:
        told = f"no table of the archive fits {', '.join(patterns)}"
        parts = {table.rpartition(".")[2]: table for table in self.tables}
        near = [close for one in patterns for close in _near(one, parts)]
        return f"{told}; did you mean {near[0]}?" if near else told

    def _fitting(self, patterns: Sequence[str]) -> list[str]:
        return [table for table in self.tables if fits_any(table, patterns)]


def _no_row_has(tables: list[str], names: dict[str, list[str]], has: Collection[str]) -> str:
    told = []
    for name, keys in names.items():
        beside = [", ".join(keys)] if keys else []
        beside += [f"did you mean {near}?" for near in _near(name, has)]
        told.append(f"{name} ({'; '.join(beside)})" if beside else name)
    return f"no row of {', '.join(tables)} has {', '.join(told)}"


def _near(name: str, known: Collection[str]) -> list[str]:
    return get_close_matches(name, known, n=1, cutoff=0.8)
