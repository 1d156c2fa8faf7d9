"""The content of a logical message is told apart by what comes out, or not at all."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.audit.content import UNREADABLE, read

ANN = {"type": "session", "session": {"user": {"id": "ann"}}}
objects = st.dictionaries(st.text(), st.text() | st.integers() | st.none(), min_size=1)


def encodings(text: bytes) -> dict[str, str]:
    return {
        "text": text.decode(),
        "base64": base64.b64encode(text).decode(),
        "base64 bare": base64.b64encode(text).decode().rstrip("="),
        "base64url": base64.urlsafe_b64encode(text).decode(),
        "base64url bare": base64.urlsafe_b64encode(text).decode().rstrip("="),
        "hex": text.hex(),
        "hex upper": text.hex().upper(),
    }


@given(objects)
def test_a_json_object_is_found_in_every_form(value: dict[str, Any]) -> None:
    """By `auto`, and by the form's own name."""
    for name, content in encodings(json.dumps(value).encode()).items():
        assert read(content, "auto") == value
        assert read(content, name.split()[0]) == value  # type: ignore[arg-type]


@given(objects)
def test_an_object_that_holds_encoded_text_is_itself(value: dict[str, Any]) -> None:
    """A text that is a JSON object wins, whatever is inside."""
    outer = {"token": base64.b64encode(json.dumps(value).encode()).decode()}
    assert read(json.dumps(outer), "auto") == outer


@pytest.mark.parametrize("content", ["cafe", "user", "AP8Q", "1234", "dXNlcl8wMDAy", "a-_b"])
def test_what_may_be_two_things_is_not_guessed_at(content: str) -> None:
    """A word that is base64 or hex too, bytes that are no text."""
    assert read(content, "auto") is UNREADABLE
    assert read(content, "text") == content


@pytest.mark.parametrize("content", ["user_0002", "ann@example.com", "Zoë", "a b", "{", ""])
def test_a_text_that_no_form_can_be_is_itself(content: str) -> None:
    """Alphabets and lengths exclude each other."""
    assert read(content, "auto") == content


@pytest.mark.parametrize(
    ("content", "form", "found"),
    [
        ("dXNlcl8wMDAy", "base64", "user_0002"),
        ("757365725f30303032", "hex", "user_0002"),
        ("In4_In4_", "base64url", '"~?"~?'),
        ("IiI", "base64", ""),
        ("In4_", "base64", UNREADABLE),
        ("abc", "hex", UNREADABLE),
        ("AP8Q", "base64", UNREADABLE),
        ("12", "text", "12"),
        ('"ann"', "text", "ann"),
    ],
)
def test_a_named_form_is_taken_at_its_word(content: str, form: Any, found: Any) -> None:
    """What is not of that form, or holds no text, cannot be read."""
    assert read(content, form) == found


def test_content_that_a_transformation_decoded_is_taken_as_it_is() -> None:
    """DecodeLogicalDecodingMessageContent leaves JSON in its place."""
    assert read(ANN, "auto") == ANN
