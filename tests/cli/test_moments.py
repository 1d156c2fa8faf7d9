"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from cdc_archive.cli.moments import MOMENT

SAID = datetime(2026, 2, 19, 16, 30, tzinfo=UTC)


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
    assert MOMENT.convert(text, None, None) == moment
    assert MOMENT.convert(moment, None, None) is moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "1771516800", "2026-02-19T25:00"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    """Of which one can be copied."""
    with pytest.raises(click.BadParameter, match="is no time such as 2026-02-19, "):
        MOMENT.convert(text, None, None)
