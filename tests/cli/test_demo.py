"""The demo, whole: broker, worker, S3, replay."""

from __future__ import annotations

import re

import pytest

from cdc_archive.cli import main


def test_the_demo_gives_every_lost_event_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Each type: as many exact as were lost. Plain text when it is not a terminal."""
    assert main.run(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    rows = re.findall(r"^ (\w+\.\w+) +(\d+) +(\d+) +(\d+) ", shown, re.MULTILINE)
    assert len(rows) == 11
    assert all(lost == recovered == exact != "0" for _, lost, recovered, exact in rows)
