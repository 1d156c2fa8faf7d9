"""Subjects that could not be looked at as a whole: not configured, unreachable, refused. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from cdc_archive.doctor.finding import Finding, Severity, note, warning
from cdc_archive.errors import CdcArchiveError

SUBJECTS: Final = ("settings", "postgres", "connect", "kafka", "bucket", "archive", "actors")
"""In the order in which they are looked at and shown."""

_UNKNOWN: Final = {
    "postgres": "replica identities, publication, slot",
    "connect": "what the connector leaves out, and whether it runs",
    "kafka": "retention, compaction, lag",
    "bucket": "whether the archive can be altered or deleted",
    "archive": "gaps, quarantine, digests",
    "actors": "whether changes tell who made them",
}
NOT_CONFIGURED: Final = {
    subject: note(f"{subject}.not-configured", f"Unknown: {unknown}.", "docs/doctor.md")
    for subject, unknown in _UNKNOWN.items()
}
UNREACHABLE: Final = {
    subject: warning(f"{subject}.unreachable", f"Unknown: {unknown}.", "docs/doctor.md")
    for subject, unknown in _UNKNOWN.items()
}


def not_configured(subject: str, setting: str) -> Finding:
    """Nobody said where it is."""
    return NOT_CONFIGURED[subject].found(f"{setting} is not set", f"Set {setting}.")


def unreachable(subject: str, error: CdcArchiveError, about: str = "") -> Finding:
    """It does not answer, or not us."""
    return UNREACHABLE[subject].found(error.what, error.action, about)


def guarded(subject: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of a look; whatever ends it is a finding too, beside those made before."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except CdcArchiveError as error:
        found.append(unreachable(subject, error))
    except Exception as error:  # noqa: BLE001  # one subject's surprise must not hide the others
        what = f"the look broke off: {type(error).__name__}: {error}"
        told = CdcArchiveError(what, "This is a bug: please report it.")
        found.append(unreachable(subject, told))
    return found


def worst(found: Iterable[Finding], *, strict: bool) -> bool:
    """Whether findings are bad enough for an exit code: errors; if strict, warnings too."""
    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return any(one.severity in bad for one in found)
