"""`cdc-archive config`: check, show, example."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.cli import output
from cdc_archive.config import load, show

_NEED = {"worker": ("kafka", "store"), "read": ("store",), "watch": ("kafka",)}


@click.group()
def command() -> None:
    """Check, show or explain the settings."""


@command.command()
@click.option(
    "--for",
    "purpose",
    type=click.Choice([*_NEED]),
    default="worker",
    show_default=True,
    help="What the settings must suffice for.",
)
@click.pass_obj
def check(config: Path | None, purpose: str) -> None:
    """Report every missing or wrong setting at once. Touches nothing else."""
    loaded = load.from_process(config, _NEED[purpose])
    if purpose == "watch":
        from cdc_archive.cli import watch_wiring

        watch_wiring.check(loaded.settings)
    output.say(f"settings are complete for: {purpose} (file: {loaded.file or 'none'})")


@command.command(name="show")
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")
@click.pass_obj
def show_(config: Path | None, as_json: bool) -> None:
    """Print the effective value of every setting and where it came from; secrets are hidden."""
    rows = show.effective(load.from_process(config, ()))
    if as_json:
        for row in rows:
            output.json_line(row._asdict())
    else:
        output.table(
            ("setting", "value", "origin"), [(r.setting, str(r.value), r.origin) for r in rows]
        )


@command.command()
def example() -> None:
    """Print a complete settings file with explanations."""
    click.echo(show.example(), nl=False)
