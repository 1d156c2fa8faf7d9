"""`cdc-archive key`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cdc_archive.archive.format.key_record import key_id
from cdc_archive.archive.reader.keyring import Keyring
from cdc_archive.cli import output, wiring
from cdc_archive.config import load
from cdc_archive.config.settings import Settings
from cdc_archive.errors import NothingFound
from cdc_archive.signing.signer import Signer


@click.group()
def command() -> None:
    """The keys that sign digests. A private key never enters the archive."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Make an Ed25519 private key in FILE, and print its public key.

    Keep the public key where whoever may write to the archive may not: `verify --public-key` needs
    it to prove who signed.
    """
    from cdc_archive.signing import key_file, public_key

    key_file.make(file)
    public = key_file.KeyFile(file).public_key
    output.line(public_key.pem(public).rstrip())
    output.say(f"key {key_id(public)}; set digest.key_file to {file}")


@command.command()
@click.option("--old", type=click.Path(path_type=Path), help="Its file [default: as configured].")
@click.option("--new", "successor", help="The file of the new one, or kms:KEY.", required=True)
@click.pass_obj
def rotate(config: Path | None, old: Path | None, successor: str) -> None:
    """Let a new key take over: the old one signs that, and may sign no more.

    Then configure the new key; workers that still have the old one stop sealing, and say so.
    """
    from cdc_archive.archive.writer import signing_keys

    settings = load.from_process(config, ("store",)).settings
    before = wiring.signer(settings) if old is None else wiring.key_file(old)
    if before is None:
        raise click.UsageError("give --old, for no key is configured")
    store = wiring.open_store(settings)
    store.check()
    archive = wiring.open_reader(settings).info.id
    record = signing_keys.rotate(store, archive, before, _named(settings, successor), time.time)
    output.say(f"key {record.key} takes over from {record.previous}")


def _named(settings: Settings, name: str) -> Signer:
    if name.startswith("kms:"):
        return wiring.kms_key(settings, name.removeprefix("kms:"))
    return wiring.key_file(Path(name))


@command.command()
@click.option("--pem", is_flag=True, help="The public keys as PEM.")
@click.pass_obj
def show(config: Path | None, pem: bool) -> None:
    """The keys that the archive knows, the first one first."""
    from cdc_archive.signing import public_key

    records = wiring.open_reader(
        load.from_process(config, ("store",)).settings
    ).digests.key_records()
    if not records:
        raise NothingFound("the archive knows no key: its digests are not signed")
    ring = Keyring(records)
    records.sort(key=lambda one: one.record.created_at)
    if pem:
        for one in records:
            output.line(public_key.pem(bytes.fromhex(one.record.public_key)).rstrip())
        return
    columns = ("key", "algorithm", "since", "takes over from", "state")
    rows = []
    for one in records:
        record, after = one.record, ring.successor(one.record.key)
        state = "in use" if after is None else f"until {after.created_at}"
        state = state if record.key in ring.keys else "nobody vouches for it"
        rows.append((record.key, record.algorithm, record.created_at, record.previous, state))
    output.table(columns, rows)
