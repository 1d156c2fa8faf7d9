"""`cdc-archive evidence`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from cdc_archive.archive.reader import as_json, find
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.cli import moments, output, wiring
from cdc_archive.cli.key_option import asked_key
from cdc_archive.cli.verify_command import end_with
from cdc_archive.config import load
from cdc_archive.errors import ArchiveDamaged, ConfigInvalid, NothingFound
from cdc_archive.integrity import verdict as verdicts
from cdc_archive.integrity.evidence import Bundle, Export, Extra, Wanted
from cdc_archive.integrity.findings import Finding
from cdc_archive.integrity.verdict import Tally
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.signing import public_key
from cdc_archive.storage.object_store import ObjectStore


@click.group()
def command() -> None:
    """Take evidence out of the archive, for somebody who has to check it without us."""


@command.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--from", "start", type=moments.time, help="What was changed or committed from here.")
@click.option("--to", "end", type=moments.time, help="... and before this time (UTC).")
@click.option("--table", help="Only commits that hold changes of this table (wildcards).")
@click.option("--key", multiple=True, help="Records of this row, as `history` takes it.")
@click.option("--data", is_flag=True, help="The data files too: what was changed, not only hashes.")
@click.option(
    "--provenance",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A replay's provenance file, to go with it.",
)
@click.option(
    "--public-key",
    "keys",
    type=click.Path(path_type=Path),
    multiple=True,
    help="As `verify` takes it.",
)
@click.pass_obj
def export(
    config: Path | None,
    out: Path,
    start: datetime | None,
    end: datetime | None,
    table: str | None,
    key: tuple[str, ...],
    data: bool,
    provenance: Path | None,
    keys: tuple[Path, ...],
) -> None:
    """Write a signed bundle of evidence to OUT, a new ZIP file.

    In it are the commits of the window, the digests that hold them, the key records, what `verify`
    found, a manifest of all this that the configured key signs, and a page that checks it in any
    browser without a network. A damaged archive is exported, too: it ends as `verify` does.
    """
    if key and table is None:
        raise click.UsageError("give --table with --key")
    settings = load.from_process(config, ("store",)).settings
    store = wiring.open_store(settings)
    store.check()
    window = Window(microseconds(start), microseconds(end))
    now = datetime.fromtimestamp(time.time(), UTC)
    trusted = tuple(public_key.read_pem(path) for path in keys)
    verification = Verification(store, Asked(window, trusted, None, now))
    found, tally = _found(verification), Tally()
    for finding in found:
        tally.take(finding)
        output.say(f"{finding.kind:10}  {finding.key}: {finding.what}")
    verdict = tally.verdict(verification)
    wanted = Wanted(window, table, data or bool(key))
    extras = [*_provenance(provenance), *_records(store, wanted, key)]
    signer = wiring.signer(settings)
    told = verdicts.as_json(verification, verdict)
    try:
        with closing(Bundle(out, signer)) as bundle:
            export = Export(store, verification, wanted)
            count = export.write(bundle, found, told, extras, now)
    except NothingFound:
        out.unlink()
        raise
    signed = "not signed: no key is configured" if signer is None else "signed"
    output.say(f"{out}: {count:,} commits, {signed}")
    end_with(verdict, allow_gaps=True)


def _found(verification: Verification) -> list[Finding]:
    return [*verification.run()]


def _provenance(path: Path | None) -> Iterator[Extra]:
    if path is None:
        return
    try:
        yield Extra("provenance.jsonl", path.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from None


def _records(store: ObjectStore, wanted: Wanted, key: tuple[str, ...]) -> Iterator[Extra]:
    """The records of a row as JSON lines."""
    if not key:
        return
    asked = find.Wanted(
        table=wanted.table, window=wanted.window, follow_key=asked_key(key, "--key")
    )
    lines: list[str] = []
    with suppress(ArchiveDamaged):  # told by what verify found; what can be read is in it
        found = find.records(ArchiveReader(store), asked)
        lines.extend(output.json_text(as_json.view(archived)) for archived in found)
    yield Extra("records.jsonl", "".join(f"{line}\n" for line in lines).encode())
