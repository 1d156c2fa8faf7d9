"""`cdc-archive demo`: an incident, its alarm, its recovery and its proof, on this machine."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import structlog
from rich.text import Text

from cdc_archive.cli import demo_account, demo_stage, output
from cdc_archive.cli.demo_account import BROKEN, Account
from cdc_archive.cli.demo_shell import Shell
from cdc_archive.config import load
from cdc_archive.errors import Unreconciled

_DATA: Final = Path(__file__).parent / "demo_data"
_ALARMS: Final = 23
"""How `watch --once` ends when alarms fire."""
_LOG: Final = f"kafka:{demo_stage.AUDIT}"
_KEY, _PUBLIC_KEY, _EVIDENCE = "digest.pem", "digest.public.pem", "evidence.zip"
_SIGNED: Final = f'key_file = "{_KEY}"\n'
"""To the end of the settings file, which is the section of digests."""


@click.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new or empty folder for the settings, the reports and the evidence, to stay.",
)
def command(keep: Path | None) -> None:
    """Play an incident and its recovery on this machine, with nothing else.

    A recorded Debezium stream, and what an application published meanwhile, stand in a broker in
    this process, beside an S3 server. One service lacks its Kafka variable. The commands that find
    and mend it are those that you would type.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    account = demo_account.of(_DATA / "incident.audit.jsonl.gz")
    stream = demo_stage.recorded(_DATA / "incident.stream.jsonl.gz")
    published = [demo_stage.published(*one) for one in account.published]
    stage = demo_stage.stage(stream, published, account.services)
    with _ended_by_sigterm(), _folder(keep) as folder, stage as settings:
        file = folder / load.DEFAULT_FILE
        file.write_text(settings)
        shell = Shell(folder)
        _lose(shell, account, len(stream))
        _find(shell, account, folder)
        _give_back(shell, account, folder)
        _mend(shell, account, folder)
        _prove(shell, file)
    _tell_where(keep)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: no worker and no folder is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with TemporaryDirectory(prefix="cdc-archive-demo-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise click.UsageError(f"--keep {keep}: the folder is not empty")
    yield keep


def _lose(shell: Shell, account: Account, waiting: int) -> None:
    _tell(1, f"An application did {len(account.events)} things that belong in its audit log.")
    lost = f"{len(account.lost)} events were never published"
    _tell(2, f"Its service `{BROKEN}` lacked one Kafka variable: {lost}.")
    _tell(3, "Debezium's stream was archived meanwhile:")
    shell.archive(waiting)


def _find(shell: Shell, account: Account, folder: Path) -> None:
    _tell(4, "The alarm: what was changed, and what was published of it?")
    shell.run("watch --once", _ALARMS, head=16, tail=3)
    _tell(5, "What is missing, and whose is it?")
    shell.run(f"reconcile --published {_LOG} --report found.json", Unreconciled.exit_code)
    demo_account.require_loss_found(_json(folder / "found.json"), account)


def _give_back(shell: Shell, account: Account, folder: Path) -> None:
    _tell(6, "The archive alone gives every event back:")
    shell.run("replay --out regenerated.jsonl", head=1)
    lines = (folder / "regenerated.jsonl").read_text().splitlines()
    rows = demo_account.rows(account, [json.loads(line) for line in lines])
    output.line("  Those that were lost, held against what the application knows of them:")
    output.table(("event type", "lost", "recovered", "exact", "with actor"), rows)


def _mend(shell: Shell, account: Account, folder: Path) -> None:
    _tell(7, "What is missing is published, and nothing else:")
    backfill = f"--backfill {_LOG} --mark --provenance backfill.jsonl --by service"
    shell.run(f"reconcile --published {_LOG} {backfill}", Unreconciled.exit_code)
    _tell(8, "Now nothing is missing, nothing is doubled, and the alarm is over:")
    shell.run(f"reconcile --published {_LOG} --by service --report mended.json")
    demo_account.require_nothing_found(_json(folder / "mended.json"), account)
    shell.run("watch --once")


def _prove(shell: Shell, settings: Path) -> None:
    _tell(9, "Proof for an auditor, who need not trust us:")
    shell.run(f"key new {_KEY} > {_PUBLIC_KEY}")
    with settings.open("a") as added:
        added.write(_SIGNED)
    output.line(f"  {settings.name}, [digest]: {_SIGNED.rstrip()}")
    shell.run("digest seal --now")
    shell.run(f"verify --public-key {_PUBLIC_KEY}")
    with_them = f"--data --provenance backfill.jsonl --public-key {_PUBLIC_KEY}"
    shell.run(f"evidence export {_EVIDENCE} {with_them}")


def _tell_where(keep: Path | None) -> None:
    if keep is None:
        _tell(10, "The evidence lay in a temporary folder, now removed; --keep FOLDER keeps it.")
    else:
        _tell(10, f"The evidence lies in {keep / _EVIDENCE}, signed by {keep / _PUBLIC_KEY}.")
        output.line("  verifier.html in it checks it in any browser; VERIFY.txt does it by hand.")


def _tell(step: int, text: str) -> None:
    output.styled(Text.assemble((str(step), "bold cyan"), f" {text}"))


def _json(file: Path) -> Any:
    return json.loads(file.read_text())
