"""`cdc-archive digest`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cdc_archive.archive.reader.digests import Digests, SealedDigest
from cdc_archive.cli import output, wiring
from cdc_archive.config import load
from cdc_archive.errors import ConfigInvalid, NothingFound, ObjectMissing


@click.group()
def command() -> None:
    """Seal the archive's hours: signed, chained lists of all that was committed.

    The worker seals by itself; see docs/operations.md, Digests.
    """


@command.command()
@click.option("--now", is_flag=True, help="Up to this moment, not only hours that are over.")
@click.option("--unsigned", is_flag=True, help="Although no key is configured.")
@click.pass_obj
def seal(config: Path | None, now: bool, unsigned: bool) -> None:
    """Seal every hour that is over and not sealed yet."""
    settings = load.from_process(config, ("store",)).settings
    if wiring.signer(settings) is None and not unsigned:
        raise ConfigInvalid(
            "no key is configured: the digests would not be signed",
            "Set digest.key_file or digest.kms_key_id, or give --unsigned.",
        )
    store = wiring.open_store(settings)
    store.check()
    sealer = wiring.sealer(settings, store)
    sealer.admit()
    sealed = 0
    for one in sealer.due():
        sealed += 1
        output.say(_told(one))
    if now and (last := sealer.now()) is not None:
        sealed += 1
        output.say(_told(last))
    if not sealed:
        output.say("no hour is due")


@command.command("list")
@click.option("--json", "as_lines", is_flag=True, help="As JSON lines.")
@click.pass_obj
def list_them(config: Path | None, as_lines: bool) -> None:
    """The digests of the archive, the oldest first."""
    digests = _digests(config)
    columns = ("digest", "from", "to", "commits", "records", "gaps", "signed by", "sha256")
    rows = [_row(digests.read(key)) for key in digests.listed()]
    if not rows:
        raise NothingFound("no hour of the archive is sealed", "Run: cdc-archive digest seal")
    if as_lines:
        for row in rows:
            output.json_line(dict(zip(columns, row, strict=True)))
    else:
        output.table(columns, rows)


@command.command()
@click.argument("key")
@click.pass_obj
def show(config: Path | None, key: str) -> None:
    """One digest as JSON, with the commits in it. KEY is as `digest list` shows it, or `last`."""
    digests = _digests(config)
    wanted = max(digests.listed(), default="") if key == "last" else key
    try:
        found = digests.read(wanted)
    except ObjectMissing:
        raise NothingFound(f"no digest stands under {wanted or key}") from None
    output.json_line(msgspec.to_builtins(found.digest, builtin_types=(msgspec.Raw,)))


def _digests(config: Path | None) -> Digests:
    return wiring.open_reader(load.from_process(config, ("store",)).settings).digests


def _row(sealed: SealedDigest) -> tuple[str, str, str, int, int, int, str, str]:
    digest = sealed.digest
    records = sum(sum(counts.values()) for counts in digest.counts.values())
    commits = sum(len(chain.commits) for chain in digest.chains)
    signed = "" if digest.signature is None else digest.signature.key
    gaps = len(digest.gaps)
    return sealed.key, digest.start, digest.end, commits, records, gaps, signed, sealed.sha256


def _told(sealed: SealedDigest) -> str:
    _, start, end, commits, records, *_ = _row(sealed)
    signature = sealed.digest.signature
    signed = "not signed" if signature is None else f"signed by {signature.key}"
    return f"{sealed.key}: {start} to {end}, {commits:,} commits, {records:,} records, {signed}"
