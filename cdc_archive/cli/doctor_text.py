"""What `cdc-archive doctor` shows to people: by subject, the worst first, each reason once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rich.text import Text

from cdc_archive.cli import output
from cdc_archive.doctor.finding import Finding, Severity, by_severity, counted
from cdc_archive.telemetry.masking import masked
from cdc_archive.telemetry.terminal import printable

_STYLES: Final = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.NOTE: "cyan",
    Severity.OK: "green",
}


def show(subject: str, found: Sequence[Finding]) -> None:
    """A subject's findings; equal checks have their reason told once."""
    output.styled(Text(subject, "bold"))
    for _, same in groupby(by_severity(found), key=lambda one: (one.severity, one.check)):
        _show_check([*same])
    output.line("")


def summary(found: Sequence[Finding]) -> str:
    """How many of each severity."""
    counts = counted(found)
    told = [
        f"{count} {severity}{'s' if count != 1 and severity != Severity.OK else ''}"
        for severity, count in counts.items()
    ]
    return ", ".join(told)


def _show_check(same: Sequence[Finding]) -> None:
    first = same[0]
    if first.severity is Severity.OK:
        for one in same:
            _line(f"  {'ok':8}", _STYLES[Severity.OK], _seen(one))
        return
    _line(f"  {first.severity:8}", _STYLES[first.severity], first.check)
    source = f" ({first.source})" if first.source else ""
    _line("           ", "dim", f"{first.why}{source}")
    mends = {one.mend for one in same}
    for one in same:
        _line("           ", "", _seen(one))
        if len(mends) > 1:
            _line("             mend: ", "dim", one.mend)
    if len(mends) == 1 and first.mend:
        _line("             mend: ", "dim", first.mend)


def _seen(one: Finding) -> str:
    return f"{one.about}: {one.seen}" if one.about else one.seen


def _line(head: str, style: str, text: str) -> None:
    shown = Text(head, style)
    shown.append(printable(masked(text)), "" if head.strip() else style)
    output.styled(shown)
