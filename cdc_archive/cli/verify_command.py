"""`cdc-archive verify`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.cli import moments, output, wiring
from cdc_archive.config import load
from cdc_archive.errors import ArchiveDamaged, ArchiveIncomplete, ConfigInvalid, NothingFound
from cdc_archive.integrity import anchor as anchors
from cdc_archive.integrity import verdict as verdicts
from cdc_archive.integrity.findings import GAP, INCOMPLETE, Finding
from cdc_archive.integrity.verdict import Tally, Verdict
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.signing import public_key
from cdc_archive.telemetry.terminal import printable


@click.command()
@click.option("--from", "start", type=moments.time, help="Open only files of this time on (UTC).")
@click.option("--to", "end", type=moments.time, help="Open only files of before this time (UTC).")
@click.option(
    "--offline",
    "copy",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look at a downloaded copy: no store, no network, no settings.",
)
@click.option(
    "--public-key",
    "keys",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A public key (PEM) kept elsewhere: digests must be signed by it, or by one that took"
    " over from it. May be repeated.",
)
@click.option("--anchor", help="The head known from elsewhere: a file, or SEQUENCE:SHA256.")
@click.option(
    "--write-anchor",
    "to",
    type=click.Path(path_type=Path),
    help="Write the head to this file, if no damage is found. Keep it elsewhere.",
)
@click.option("--allow-gaps", is_flag=True, help="Recorded losses are no failure.")
@click.option("--json", "as_lines", is_flag=True, help="Findings as JSON lines, the result last.")
@click.pass_obj
def command(
    config: Path | None,
    start: datetime | None,
    end: datetime | None,
    copy: Path | None,
    keys: tuple[Path, ...],
    anchor: str | None,
    to: Path | None,
    allow_gaps: bool,
    as_lines: bool,
) -> None:
    """Prove the archive against its chains and digests: every commit, every file, every record.

    Damage ends with 15; an archive that is whole but for losses that somebody accepted, or that
    lacks changes which the database's transactions tell of, with 20; nothing to prove with 17.
    Orphans (data files that no commit names, as a crash leaves them) are told, and are no failure.

    All links are always walked. With --from or --to, files are opened of commits that were made in
    this time, and files that may hold a change of it, whenever they were committed.
    """
    asked = Asked(
        Window(microseconds(start), microseconds(end)),
        tuple(public_key.read_pem(path) for path in keys),
        None if anchor is None else anchors.read(anchor),
        datetime.fromtimestamp(time.time(), UTC) if copy is None else None,
    )
    verification = _verification(config, copy, asked)
    tally = Tally()
    for finding in verification.run():
        tally.take(finding)
        _show(finding, as_lines=as_lines)
    verdict = tally.verdict(verification)
    _tell(verification, verdict, as_lines=as_lines)
    if to is not None and not verdict.damage and verdict.result != verdicts.NOTHING:
        _write(to, verification)
    end_with(verdict, allow_gaps=allow_gaps)
    output.say("whole and unaltered")


def _verification(config: Path | None, copy: Path | None, asked: Asked) -> Verification:
    if copy is not None:
        return Verification(wiring.open_copy(copy), asked)
    store = wiring.open_store(load.from_process(config, ("store",)).settings)
    store.check()
    return Verification(store, asked)


def _show(finding: Finding, *, as_lines: bool) -> None:
    if as_lines:
        output.json_line(finding._asdict())
    else:
        output.line(printable(f"{finding.kind:10}  {finding.key}: {finding.what}"))


def _tell(verification: Verification, verdict: Verdict, *, as_lines: bool) -> None:
    if as_lines:
        output.json_line(verdicts.as_json(verification, verdict))
    counts = verification.counts
    output.say(", ".join(f"{count:,} {name}" for name, count in counts.items()) + " looked at")
    for stream in verification.streams:
        output.say(f"transactions of {stream}")
    if verdict.result == verdicts.NOTHING:
        return
    for what in verdicts.unproven(verification):
        output.say(f"not proven: {what}")


def _write(path: Path, verification: Verification) -> None:
    made = verification.head(datetime.fromtimestamp(time.time(), UTC))
    try:
        path.write_bytes(made.encode())
    except OSError as error:
        raise ConfigInvalid(
            f"the anchor {path} cannot be written: {error.strerror}", "Name another file."
        ) from None
    short = "" if made.line is None else f"; in short {made.line}"
    output.say(f"anchor written to {path}: keep it where no keeper of the archive can{short}")


def end_with(verdict: Verdict, *, allow_gaps: bool) -> None:
    """Nothing if the archive is whole.

    Raises:
        ArchiveDamaged, ArchiveIncomplete, NothingFound: it is not.
    """
    damage, gaps, short = verdict.damage, verdict.found[GAP], verdict.found[INCOMPLETE]
    if damage:
        raise ArchiveDamaged(f"damage: {damage} finding{'s' if damage > 1 else ''}")
    if verdict.result == verdicts.NOTHING:
        raise NothingFound("nothing of this is archived: there is nothing to prove")
    if short:
        raise ArchiveIncomplete(
            f"undamaged, but {short:,} transactions are not whole",
            "What is short was never archived: see the findings, and `doctor` for why.",
        )
    if gaps and not allow_gaps:
        raise ArchiveIncomplete(f"undamaged, with {gaps} recorded losses")
