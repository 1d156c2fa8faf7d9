"""The code agrees with the vectors of the specification."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.build import message
from support.vectors import vectors

from cdc_archive import __version__, schema_files
from cdc_archive.archive.format import archive_info, commit, layout, signed
from cdc_archive.changelog.hour import Hour, hour_of
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import Decoder, value_of
from cdc_archive.errors import Undecodable


@pytest.mark.parametrize(("name", "part"), vectors()["parts"].items())
def test_names_become_parts_of_keys(name: str, part: str) -> None:
    """Section Layout, vectors `parts`."""
    assert layout.encode_part(name) == part


@pytest.mark.parametrize("vector", vectors()["keys"])
def test_keys_of_data_files(vector: dict) -> None:
    """Section Layout, vectors `keys`."""
    key = layout.data_key(
        vector["kind"],
        vector["folder"],
        Hour(vector["date"], vector["hour"]),
        TopicPartition(vector["topic"], vector["partition"]),
        vector["first"],
        vector["last"],
        vector["sha256"],
    )
    assert key == vector["key"]


@pytest.mark.parametrize("vector", vectors()["envelopes"])
def test_envelopes_are_cut_and_restored(vector: dict) -> None:
    """Section Record, vectors `envelopes`."""
    decoded = Decoder().decode(message(vector["value"].encode()))
    parts = {
        name: None if part is None else part.decode()
        for name, part in decoded.record._asdict().items()
        if name in ("before", "after", "source", "transaction", "envelope")
    }
    assert parts == {name: vector[name] for name in parts}
    schema = vector.get("value_schema")
    assert decoded.value_schema == (None if schema is None else schema.encode())
    assert value_of(decoded.record, decoded.value_schema) == vector["value"].encode()


@pytest.mark.parametrize("vector", vectors()["hours"])
def test_hours_are_half_open(vector: dict) -> None:
    """Section Hour, vectors `hours`."""
    assert hour_of(vector["event_time_us"]) == Hour(vector["date"], vector["hour"])


def test_the_archive_object_is_read() -> None:
    """Section Archive."""
    text = re.search(
        r"```json vectors=archive\n(.*?)\n```", schema_files.read("ARCHIVE_FORMAT.md").decode()
    )
    assert text is not None
    assert archive_info.decode(text[1].encode()).id == vectors()["archive"]["id"]


def test_the_specification_is_of_the_version_that_the_code_writes() -> None:
    """Text and code must not drift apart."""
    text = schema_files.read("ARCHIVE_FORMAT.md").decode()
    assert f"# The archive's format, version {commit.FORMAT}\n" in text
    assert f"| {commit.FORMAT} | {__version__} |" in text


def test_every_reason_of_quarantine_stands_in_the_specification() -> None:
    """The reasons that decoder and writer give are those that the table lists."""
    text = schema_files.read("ARCHIVE_FORMAT.md").decode()
    section = text.split("## Quarantine")[1].split("## Commit")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    package = schema_files.root().parent
    package = package if (package / "decode").is_dir() else package / "cdc_archive"
    rooms = [package / "decode", package / "archive" / "writer"]
    code = "".join(path.read_text() for room in rooms for path in room.glob("*.py"))
    raised = set(re.findall(rf'{Undecodable.__name__}\(\s*"(\w+)"', code))
    assert raised == listed


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder(name: str) -> None:
    """A part is never empty, never relative, holds no separator, and is of bounded length."""
    part = layout.encode_part(name)
    assert re.fullmatch(r"[A-Za-z0-9_\-.%~]{1,150}", part)
    assert not part.startswith(".")


@given(st.text(max_size=200), st.text(max_size=200))
def test_different_names_have_different_parts(one: str, other: str) -> None:
    """Long names too: a cut one carries a digest of the whole. But no name, and a NUL alone, which
    no database and no broker takes for one, have the same."""
    assume({one, other} != {"", "\0"})
    assert (layout.encode_part(one) == layout.encode_part(other)) == (one == other)


@pytest.mark.parametrize("vector", vectors()["signatures"])
def test_what_a_signature_is_over(vector: dict[str, str]) -> None:
    """Section Signatures, vectors `signatures`."""
    purpose = vector["purpose"].encode() + b"\n"
    assert purpose in (signed.DIGEST, signed.KEY)
    assert signed.signed_text(purpose, vector["object"].encode()) == vector["text"].encode()
