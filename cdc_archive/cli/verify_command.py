"""`cdc-archive verify`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.cli import output, wiring
from cdc_archive.config import load
from cdc_archive.errors import ArchiveDamaged, ArchiveIncomplete, NothingFound
from cdc_archive.integrity.findings import GAP


@click.command()
@click.option("--allow-gaps", is_flag=True, help="Recorded losses are no failure.")
@click.option("--json", "as_lines", is_flag=True, help="Findings as JSON lines.")
@click.pass_obj
def command(config: Path | None, allow_gaps: bool, as_lines: bool) -> None:
    """Prove the archive against its chains: every commit, every file, every record.

    Damage ends with 15; an archive that is whole but for losses that somebody accepted with 20.
    Orphans (files that no commit names) and strangers (objects that no archive has) are told, and
    are no failure: they are no part of the archive. Only a copy of the chains' heads kept elsewhere
    shows that the end of a chain, or a whole chain, was removed.
    """
    verification = wiring.verification(load.from_process(config, ("store",)).settings)
    damaged = gaps = 0
    for finding in verification.run():
        damaged += finding.is_damage
        gaps += finding.kind == GAP
        if as_lines:
            output.json_line(finding._asdict())
        else:
            what = finding.what.removeprefix(f"{finding.key}: ")
            output.line(f"{finding.kind:10}  {finding.key}: {what}")
    counts = verification.counts
    output.say(", ".join(f"{count:,} {name}" for name, count in counts.items()) + " looked at")
    if damaged:
        raise ArchiveDamaged(f"damage: {damaged} finding{'s' if damaged > 1 else ''}")
    if not counts["commits"]:
        raise NothingFound("the archive holds no commit: there is nothing to prove")
    if gaps and not allow_gaps:
        raise ArchiveIncomplete(f"undamaged, with {gaps} recorded losses")
    output.say("whole and unaltered")
