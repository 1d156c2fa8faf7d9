"""`cdc-archive doctor`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from cdc_archive import schema_files
from cdc_archive.audit import mapping
from cdc_archive.cli import doctor_text, output
from cdc_archive.cli.doctor_looks import Looks
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.config import load
from cdc_archive.config.settings import Settings
from cdc_archive.doctor.finding import Finding
from cdc_archive.doctor.looking import SUBJECTS, worst
from cdc_archive.errors import ConfigInvalid, Unfit
from cdc_archive.telemetry.masking import masked


def _subjects(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    given = tuple(one.strip() for one in (value or "").split(",") if one.strip())
    if strange := sorted(set(given) - set(SUBJECTS)):
        raise click.BadParameter(f"{', '.join(strange)}: choose from {', '.join(SUBJECTS)}")
    return given


@click.command()
@click.option("--only", callback=_subjects, help=f"Some of {','.join(SUBJECTS)}.")
@click.option("--skip", callback=_subjects, help="All but these.")
@click.option("--sample-hours", type=float, help="Of the archive's end whose actors are counted.")
@click.option(
    "--mapping",
    "file",
    type=click.Path(path_type=Path),
    help="The mapping whose actors are counted [default: the OpenAI-shaped one].",
)
@click.option("--strict", is_flag=True, help="Warnings are failures too.")
@click.option("--json", "as_lines", is_flag=True, help="Findings as JSON lines.")
@click.pass_obj
def command(
    config: Path | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    sample_hours: float | None,
    file: Path | None,
    strict: bool,
    as_lines: bool,
) -> None:
    """Look at database, connector, Kafka, bucket and archive before the day it matters.

    Each finding says what was seen, why it matters, and the command, SQL or setting that mends it.
    Nothing is changed, but for archive.probe, which every worker makes too. What cannot be looked
    at is a finding too. Ends with 24 if there are errors.
    """
    if sample_hours is not None and sample_hours <= 0:
        raise click.BadParameter("must be more than 0", param_hint="--sample-hours")
    settings, faults = _settings(config)
    rules = mapping.load(file or schema_files.root() / DEFAULT_MAPPING)
    looks = Looks(settings, faults, rules, sample_hours or settings.doctor.sample_hours)
    found: list[Finding] = []
    for subject in SUBJECTS:
        if subject in skip or (only and subject not in only):
            continue
        here = looks.findings(subject)
        found += here
        _show(subject, here, as_lines=as_lines)
    output.say(doctor_text.summary(found))
    if worst(found, strict=strict):
        raise Unfit("there are errors" + (" or warnings" if strict else ""))


def _show(subject: str, found: Sequence[Finding], *, as_lines: bool) -> None:
    if not as_lines:
        doctor_text.show(subject, found)
        return
    for one in found:
        output.json_line(json.loads(masked(json.dumps(one.to_dict()))))


def _settings(config: Path | None) -> tuple[Settings, list[str]]:
    """The settings, and what `config check` says of them; wrong values are an error at once."""
    try:
        return load.from_process(config, ("kafka", "store")).settings, []
    except ConfigInvalid as error:
        told = [line.removeprefix("- ") for line in error.what.splitlines()]
        faults = [line for line in told if not line.startswith(" ")][1:]
        return load.from_process(config, ()).settings, faults
