"""What commands print."""

from __future__ import annotations

import json

import pytest

from cdc_archive.cli import output


@pytest.mark.parametrize("character", ["\x1b", "\x7f", "\x9b", "\u202e", "\ufeff"])
def test_no_character_that_drives_a_terminal_stands_in_a_line_of_json(
    character: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is escaped, alone or beside other writing; the value stays what it was."""
    values = [f"a{character}b", f"\u00e9{character}\u6f22"]
    for value in values:
        output.json_line({"text": value})
    printed = capsys.readouterr().out
    assert character not in printed
    assert [json.loads(line)["text"] for line in printed.splitlines()] == values
