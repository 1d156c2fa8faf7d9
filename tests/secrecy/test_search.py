"""The search finds what it is there to find."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from support.leaks import leaks, planted

SECRET, WORDS = planted("it")


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        json.dumps(SECRET),
        repr(SECRET.encode()),
        SECRET.encode().hex(),
        base64.b64encode(b"\0user\0" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"a" + SECRET.encode() + b"b").decode(),
        "\n".join(SECRET),
        SECRET.splitlines()[1],
    ],
)
def test_a_secret_is_found_in_each_form(written: str) -> None:
    """As it is, quoted, escaped, encoded, split, and in part."""
    assert leaks(f"before {written} after".encode(), {"it": WORDS}) == ["it"]


def test_what_is_not_there_is_not_found() -> None:
    """Nor does another secret look like it."""
    other, _ = planted("other")
    assert leaks(other.encode(), {"it": WORDS}) == []
