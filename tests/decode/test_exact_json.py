"""JSON text of our own gives back the value that it was made of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import parsed
from cdc_archive.history.states import Version
from cdc_archive.history.transition import Origin

LONE = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)  # two of them may be a pair
TEXTS = st.text(max_size=5) | LONE
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
OTHERS = st.sampled_from(["null", "true", "NaN", "-Infinity", "9" * 5_000, "1E+199998"])
SCALARS = NUMBERS | OTHERS | TEXTS.map(json.dumps)


def _list(parts: list[str]) -> str:
    return f"[{','.join(parts)}]"


def _object(members: dict[str, str]) -> str:
    return f"{{{','.join(f'{json.dumps(name)}:{part}' for name, part in members.items())}}}"


JSON = st.recursive(
    SCALARS,
    lambda parts: (
        st.lists(parts, max_size=3).map(_list)
        | st.dictionaries(TEXTS, parts, max_size=3).map(_object)
    ),
    max_leaves=8,
)


@given(JSON)
def test_whatever_was_read_is_written_so_that_it_is_read_again(text: str) -> None:
    """Numbers of any size, lone surrogates in values and names, what RFC 8259 leaves out."""
    value = parsed(text)
    assert parsed(exact_json(value)) == value


@given(st.dictionaries(TEXTS, JSON.map(parsed), max_size=4), TEXTS)
def test_a_version_comes_back_out_of_its_text(row: dict[str, Any], column: str) -> None:
    """With the columns that other messages showed, and those that none did."""
    version = Version(row, Origin("t", 3, 1 << 62, 1), {column: Origin("u", 0, 7)}, frozenset(row))
    assert Version.decode(version.encode()) == version


def test_a_lone_surrogate_in_a_tuple_is_escaped() -> None:
    """Tuples are lists, as they are without it."""
    assert exact_json({"a": ("\ud800", 1)}) == b'{"a": ["\\ud800",1]}'.replace(b" ", b"")
