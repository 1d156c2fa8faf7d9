"""Any bytes, near to good ones or far from them, are taken whole or refused by name."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile.targets import TARGETS, seeds

PIECES = st.sampled_from(
    [
        *(b"", b"\x00", b"\xff", b"\x01", b'"', b"\\", b"{", b"}", b"[" * 2000, b"]", b",", b":"),
        *(b"1e999999", b"1e9999999999999999999", b"9" * 5000, b"-0", b"NaN", b"\xef\xbb\xbf"),
        *(b'"\\ud800"', b"null", b"true", b"-1", b"9223372036854775808", b'"..\\u002f"', b"\n"),
        *(b'{"a":1,"a":2}', b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    ]
)
"""What parsers stumble over."""


@cache
def good(name: str) -> tuple[bytes, ...]:
    return tuple(seeds(name))


@st.composite
def bent(draw: st.DrawFn, name: str) -> bytes:
    """A good input with up to three pieces of it cut out, replaced or put elsewhere."""
    data = draw(st.sampled_from(good(name)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 1, 2, 8, 64, 10_000])))
        data = data[:start] + draw(PIECES | st.binary(max_size=4)) + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_a_good_one(name: str) -> None:
    """Else the search would begin nowhere."""
    taken = [TARGETS[name](seed) for seed in good(name)]
    assert any(taken) if name == "row_text" else all(taken)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
@settings(max_examples=150)
def test_bent_inputs_break_nothing(name: str, data: st.DataObject) -> None:
    """The invariant of the target holds."""
    TARGETS[name](data.draw(bent(name)))


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=200))
@settings(max_examples=60)
def test_rubbish_breaks_nothing(name: str, data: bytes) -> None:
    """The invariant of the target holds."""
    TARGETS[name](data)
