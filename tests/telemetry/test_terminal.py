"""What a stranger wrote is shown on a terminal, not obeyed."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from cdc_archive.telemetry import logs
from cdc_archive.telemetry.terminal import printable

EVIL = "t\x1b[2J\x9b31m\u202e\r\ud800"


def test_everything_invisible_is_escaped() -> None:
    """Control characters, marks of direction, lone surrogates; the rest stays."""
    assert printable("Üser 名 🚀 a\\b") == "Üser 名 🚀 a\\b"
    assert printable(EVIL + "\n", keep="\n") == "t\\x1b[2J\\x9b31m\\u202e\\r\\ud800\n"


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_line_cannot_drive_the_terminal(form: str) -> None:
    """In either form, as a message, a name or a value."""
    stream = io.StringIO()
    logs.configure("info", form, stream=stream)
    structlog.get_logger("x").info(EVIL, table=EVIL, tables=[EVIL])
    told = stream.getvalue()
    assert told.count("\n") == 1
    assert told.rstrip("\n").isprintable()
    if form == "json":
        assert json.loads(told)["table"] == EVIL
