"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from cdc_archive.cli import main, moments

SAID = datetime(2026, 2, 19, 16, 30, tzinfo=UTC)
SAID_US = 1_771_518_600_000_000


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-19", datetime(2026, 2, 19, tzinfo=UTC)),
        ("2026-02-19T16:30", SAID),
        ("2026-02-19 16:30:00", SAID),
        ("2026-02-19T16:30:00Z", SAID),
        ("2026-02-19T17:30+01:00", SAID),
        ("2026-02-19T16:30:00.000001Z", SAID.replace(microsecond=1)),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str, moment: datetime) -> None:
    """To the microsecond."""
    assert moments.time(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "1771516800", "2026-02-19T25:00"])
def test_what_is_no_time_is_refused_with_examples(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of which one can be copied; as a usage error."""
    with pytest.raises(click.BadParameter, match="is no time such as 2026-02-19, "):
        moments.time(text)
    for command in (["replay", "--from"], ["checkpoint", "--at"], ["cat", "--to"]):
        assert main.run([*command, text]) == 2
    assert "is no time such as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("after_us", "text"),
    [(0, "00Z"), (1_000, "00.001Z"), (1, "00.000001Z"), (1_000_000, "01Z"), (1_500_000, "01.500Z")],
)
def test_a_time_is_told_with_no_more_digits_than_it_needs(after_us: int, text: str) -> None:
    """In UTC; and can be given back."""
    told = moments.text(SAID_US + after_us)
    assert told == f"2026-02-19T16:30:{text}"
    assert round(moments.time(told).timestamp() * 1_000_000) == SAID_US + after_us


def test_a_time_that_no_calendar_has_is_told_as_a_number() -> None:
    """Messages may hold any."""
    assert moments.text(None) == "at an untold time"
    assert moments.text(10**20) == f"{10**20} microseconds since 1970"
