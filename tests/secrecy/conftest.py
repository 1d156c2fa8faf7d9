"""Secrets planted in each setting that is one, and the words by which a leak is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.leaks import leaks, planted

from cdc_archive.config.load import variable
from cdc_archive.config.settings import SECTIONS

SECRET_SETTINGS = sorted(
    f"{section}.{key}"
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
    if "SecretStr" in str(field.annotation)
)


@dataclass(frozen=True)
class Planted:
    """A secret in each secret setting."""

    values: dict[str, str]
    words: dict[str, tuple[str, ...]]

    def environ(self, *settings: str) -> dict[str, str]:
        """Variables for some of them; none named: all."""
        return {variable(name): self.values[name] for name in settings or self.values}

    def found_in(self, *written: str | bytes) -> list[str]:
        """The settings whose secret stands in any of it."""
        raw = [one.encode() if isinstance(one, str) else one for one in written]
        return leaks(b"\n".join(raw), self.words)


@pytest.fixture
def planted_secrets() -> Planted:
    made = {
        name: planted(name, plain=name.startswith(("store.", "reconcile.", "watch.")))
        for name in SECRET_SETTINGS
    }
    return Planted(
        {name: value for name, (value, _) in made.items()},
        {name: words for name, (_, words) in made.items()},
    )


Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs `cdc-archive` to its end, in an empty folder and with no settings but the given ones."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "cdc_archive", *arguments],
            env=bare_environment() | settings,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return run


def bare_environment() -> dict[str, str]:
    """This process's, without settings."""
    root = str(Path(__file__).parents[2])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CDC_ARCHIVE_")}
    return kept | {"PYTHONPATH": root, "AWS_EC2_METADATA_DISABLED": "true"}
