"""What the doctor finds, and the checks that it comes from. Pure.

A check has one severity and one reason; a finding says what was seen and what mends it. `ok` is
said of what was looked at and is well, never of what could not be looked at: that is a finding too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How bad it is, the worst first."""

    ERROR = "error"
    """Changes are lost, or what is archived is in danger."""
    WARNING = "warning"
    """Under some condition changes are lost, or less can be proven."""
    NOTE = "note"
    """Worth knowing."""
    OK = "ok"
    """Looked at, and well."""


class Finding(NamedTuple):
    """One thing that was found.

    `subject` is what was looked at (`postgres`, `kafka`, ...), `check` the check's name, `about`
    the table, topic or setting, `seen` what is the case, `why` why it matters, `source` where the
    rule is written down, `mend` the command, SQL or setting that mends it ("": nothing to mend).
    """

    subject: str
    check: str
    severity: Severity
    about: str
    seen: str
    why: str = ""
    source: str = ""
    mend: str = ""

    def to_dict(self) -> dict[str, str]:
        """As JSON."""
        return {name: str(value) for name, value in self._asdict().items()}


class Check(NamedTuple):
    """Something that is looked for: `name` is `subject.what`, `why` one or two sentences."""

    name: str
    severity: Severity
    why: str
    source: str = ""

    @property
    def subject(self) -> str:
        """What it looks at."""
        return self.name.partition(".")[0]

    def found(self, seen: str, mend: str, about: str = "") -> Finding:
        """The finding that this is the case."""
        return Finding(
            self.subject, self.name, self.severity, about, seen, self.why, self.source, mend
        )


def error(name: str, why: str, source: str = "") -> Check:
    """A check whose finding is an error."""
    return Check(name, Severity.ERROR, why, source)


def warning(name: str, why: str, source: str = "") -> Check:
    """A check whose finding is a warning."""
    return Check(name, Severity.WARNING, why, source)


def note(name: str, why: str, source: str = "") -> Check:
    """A check whose finding is a note."""
    return Check(name, Severity.NOTE, why, source)


def passed(subject: str, seen: str, about: str = "") -> Finding:
    """What was looked at and is well."""
    return Finding(subject, f"{subject}.ok", Severity.OK, about, seen)


def or_passed(found: Iterable[Finding], subject: str, seen: str, about: str = "") -> list[Finding]:
    """The findings; without any, that it is well."""
    return [*found] or [passed(subject, seen, about)]


class Blind(NamedTuple):
    """What is unknown if a fact cannot be looked at, and how to let it be seen."""

    unknown: str
    mend: str


def unseen(check: Check, blind: Mapping[str, Blind], facts: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each fact that could not be looked at.

    Args:
        check: says why it matters.
        blind: what each fact would have told.
        facts: why each could not be had, by the fact's name.
    """
    for fact, reason in facts.items():
        unknown, mend = blind[fact]
        yield check.found(f"could not be looked at ({reason}), so unknown: {unknown}", mend, fact)


_ORDER = {severity: place for place, severity in enumerate(Severity)}


def by_severity(found: Iterable[Finding]) -> list[Finding]:
    """The worst first; what is equally bad in its old order."""
    return sorted(found, key=lambda finding: _ORDER[finding.severity])


def counted(found: Iterable[Finding]) -> dict[Severity, int]:
    """How many of each severity, the worst first."""
    counts = dict.fromkeys(Severity, 0)
    for finding in found:
        counts[finding.severity] += 1
    return counts
