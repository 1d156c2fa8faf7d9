"""Secrets are hidden in each form, and nothing else is."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from support.leaks import leaks, planted

from cdc_archive.telemetry.masking import HIDDEN, Mask

SECRET, WORDS = planted("it")


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        *SECRET.splitlines(),
        quote(SECRET),
        quote_plus(SECRET),
        json.dumps({"p": SECRET}),
        json.dumps({"p": SECRET}, ensure_ascii=False),
        repr([SECRET]),
        repr(b"\0me\0" + SECRET.encode()),
        *(base64.b64encode(b"x" * n + SECRET.encode() + b"yz").decode() for n in range(6)),
        *(base64.urlsafe_b64encode(b"x" * n + SECRET.encode()).decode() for n in range(3)),
    ],
)
def test_a_secret_is_hidden_in_each_form(written: str) -> None:
    """What stands around it stays."""
    shown = Mask([SECRET])(f"before {written} after")
    assert leaks(shown.encode(), {"it": WORDS}) == []
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert HIDDEN in shown


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_secrets_nothing_is_hidden(secrets: list[str]) -> None:
    """An empty value is no secret."""
    assert Mask(secrets)("a text") == "a text"


def test_of_two_secrets_the_longer_is_hidden_whole() -> None:
    """Although the shorter is its beginning."""
    assert Mask(["abc", "abcdef"])("abcdef abc") == f"{HIDDEN} {HIDDEN}"
