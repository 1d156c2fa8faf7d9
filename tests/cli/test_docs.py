"""What the README says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdc_archive import errors
from cdc_archive.cli import main
from cdc_archive.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_readme_begins_with_the_two_commands() -> None:
    """Within its first 25 lines."""
    head = README.splitlines()[:25]
    assert "make demo" in "\n".join(head)
    assert "make test" in "\n".join(head)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    """By its name."""
    assert f"`cdc-archive {name}" in README


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    """Every error class has a row; no row is without one."""
    rows = dict(re.findall(r"^\| (\d+) \| ([\w, ]+) \|", README, re.MULTILINE))
    told = {name: int(code) for code, names in rows.items() for name in names.split(", ")}
    groups = {"CdcArchiveError", "Stop", "Retry", "SetAside", "Undecodable"}
    real = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CdcArchiveError)
    }
    assert told == {name: code for name, code in real.items() if name not in groups}


def test_every_metric_stands_in_the_readme() -> None:
    """Names are a contract."""
    for metric in Metrics().registry.collect():
        assert metric.name in README


def test_the_numbered_commit_order_is_the_same_everywhere() -> None:
    """Docstring, operations page, tests."""
    pattern = re.compile(r"^\s*(\d)\.? (.+)$", re.MULTILINE)
    docstring = (ROOT / "cdc_archive/worker/checkpoint.py").read_text().split('"""')[1]
    page = (ROOT / "docs/operations.md").read_text().split("## The commit order")[1]
    steps = pattern.findall(docstring)
    assert len(steps) == 6
    assert pattern.findall(page.split("\n\n")[2]) == steps
