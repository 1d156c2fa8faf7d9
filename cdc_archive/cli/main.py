"""The command line: finds the command, and turns every error into a message and an exit code.

Commands are imported when they run, so that `--help` does not wait for client libraries.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import click

from cdc_archive import __version__
from cdc_archive.cli import heap
from cdc_archive.errors import CdcArchiveError
from cdc_archive.telemetry.masking import masked
from cdc_archive.telemetry.terminal import printable

_LINE: Final = "\n"

COMMANDS: Final = {
    "worker": "Archive change streams from Kafka until told to stop.",
    "import": "Archive recorded topic dumps (JSON lines).",
    "replay": "Give back the audit events that the archived changes prove.",
    "reconcile": "Compare a published audit log with what the changes prove; mend it.",
    "history": "Show all versions of one row, each with what proves it.",
    "checkpoint": "Keep all rows' versions, so that replays look back no further.",
    "mapping": "Check a mapping, explain what it makes of a change, print its schema.",
    "ls": "Show what the archive holds: tables, hours, files, offsets.",
    "cat": "Print archived records as JSON lines.",
    "verify": "Prove that the archive is whole and unaltered.",
    "evidence": "Take evidence out of the archive, for others to check without us.",
    "digest": "Seal the archive's hours, list them, show one.",
    "key": "Make a key that signs digests, let it take over, show the archive's keys.",
    "quarantine": "List, show or try again what could not be decoded.",
    "gap": "Record a known loss in the archive.",
    "watch": "Raise the alarm when the audit log stops telling what the database does.",
    "doctor": "Look at database, connector, Kafka, bucket and archive for what loses changes.",
    "config": "Check, show or explain the settings.",
    "demo": "Play an incident and its recovery on this machine, with nothing else.",
}
"""Each is the attribute `command` of cdc_archive.cli.<name>_command."""


class _Lazy(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cdc_archive.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cdc-archive")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file [default: $CDC_ARCHIVE_CONFIG, or ./cdc-archive.toml if it exists].",
)
@click.option("--verbose", is_flag=True, help="Show tracebacks of unexpected errors.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, verbose: bool) -> None:
    """Keep every database change, exactly once; give back every audit event that was lost."""
    ctx.obj = config
    ctx.meta["verbose"] = verbose


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit. The only place where errors become exit codes."""
    heap.look_rarely()
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run a command and give its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code: Any = cli.main(given, prog_name="cdc-archive", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CdcArchiveError as error:
        click.echo(_shown(f"error: {error}"), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except (BrokenPipeError, SystemExit):  # the second is click's answer to the first
        sys.stderr.close()
        return 141
    except Exception as error:  # noqa: BLE001  # the last resort
        return _unexpected(error, "--verbose" in given)
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception, verbose: bool) -> int:
    told = (
        f"error: {type(error).__name__}: {error}\n"
        "  This is a bug: please report what `--verbose` shows."
    )
    click.echo(_shown("".join(traceback.format_exception(error)) if verbose else told), err=True)
    return 1


def _shown(text: str) -> str:
    """No secret, and nothing that drives the terminal."""
    return printable(masked(text), keep=_LINE)
