"""Key statistics: no file that holds a key is skipped, and few others are read."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import strategies
from support.vectors import vectors

from cdc_archive.archive.format import key_filter
from cdc_archive.archive.format.key_filter import KeyFilter, key_hash
from cdc_archive.archive.writer.keys_seen import KeysSeen
from cdc_archive.changelog.record import ChangeRecord
from cdc_archive.decode.images import key_value
from cdc_archive.decode.key_token import UNUSUAL, encoded, is_plain, token, tokens
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.history.fold import canonical

MULTIPLIER = 47026247687942121848144207491837418733

plain_keys = st.builds(
    lambda name, value: json.dumps({name: value}, separators=(",", ":")).encode(),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5),
    st.integers(-(10**20), 10**20) | st.text(max_size=8),
)
json_keys = st.builds(lambda value: json.dumps(value).encode(), strategies.json_values)
keys = plain_keys | json_keys | st.binary(max_size=12)
"""Keys as Connect writes them, any JSON, and rubbish."""


def record(key: bytes | None, op: str = "c", **headers: bytes) -> ChangeRecord:
    named = tuple((f"__debezium.{name}", value) for name, value in headers.items())
    return ChangeRecord("t", 0, 0, 0, 0, named, key, op, 0, "source", "t", *[None] * 5)


def bits_of(hashed: int, hashes: int, size: int) -> list[int]:
    """The bits of a key, by the letter of the specification."""
    state, bits = hashed, []
    for _ in range(hashes):
        state = (state * MULTIPLIER + 1) % (1 << 128)
        bits.append((state >> 32) % (1 << 64) % size)
    return bits


@pytest.mark.parametrize("vector", vectors()["tokens"])
def test_tokens_of_keys(vector: dict) -> None:
    """Section Key statistics, vectors `tokens`."""
    key = vector["key"].encode()
    assert token(key) == vector["token"].encode()
    assert tokens([key]) == [vector["token"].encode()]
    if "hash" in vector:
        assert f"{key_hash(token(key)):016x}" == vector["hash"]
        assert bits_of(key_hash(token(key)), 4, 64) == vector["bits"]


@given(st.sets(st.integers(0, 2**64 - 1), max_size=40))
def test_the_filter_is_the_one_of_the_specification(hashes: set[int]) -> None:
    """The bits that are set are those that its formula says, and no others."""
    made = key_filter.made([*hashes], 0)
    size = 8 * len(made.bits)
    expected = {bit for one in hashes for bit in bits_of(one, made.hashes, size)}
    assert {n for n in range(size) if made.bits[n // 8] >> n % 8 & 1} == expected


@given(st.lists(keys, max_size=6))
def test_tokens_of_many_keys_are_those_of_each(many: list[bytes]) -> None:
    """Parsed in one go or one by one: but for keys that are nested too deep to be read at all."""
    assert tokens(many) == [token(key) for key in many]


@given(keys)
def test_the_canonical_key_has_the_same_token(key: bytes) -> None:
    """So that what a change of key names is found where it stands as a message's key.

    But for numbers that are not whole, which have none of their own.
    """
    told = canonical(key)
    assert told is not None
    assert token(key) in (token(encoded(told)), encoded(UNUSUAL))


@given(plain_keys | keys)
def test_a_plain_key_is_canonical_as_it_stands(key: bytes) -> None:
    """What is taken for plain is what a canonical key would be written as."""
    if is_plain(key):
        value = json.loads(key)
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert canonical(key) == text == key.decode()


values = st.sampled_from(
    [7, -7, "7", 7.0, 1e2, 100, "100", "1e2", 1.5, "1.5", True, "true", None, "null", "", "ü", [1],
     "[1]", {"a": 1}, "007", 10**30, "*"]
)  # fmt: skip
objects = st.dictionaries(st.sampled_from(["id", "a"]), values, max_size=2)


@given(objects | values, st.data())
def test_who_asks_for_a_key_asks_for_its_token(value: object, data: st.DataObject) -> None:
    """Whatever form is asked in, and taken for the key, one of the question's tokens is its own."""
    columns = value if isinstance(value, dict) else {"id": value}
    texts = st.sampled_from([str, json.dumps])
    form = data.draw(st.sampled_from(["object", "columns", "bare"]))
    other = data.draw(objects) if form == "object" else columns
    asked = {
        "object": [json.dumps(other)],
        "columns": [f"{name}={data.draw(texts)(one)}" for name, one in columns.items()],
        "bare": [data.draw(texts)(one) for one in columns.values()][:1],
    }[form]
    assume(asked)
    try:
        question = AskedKey(asked)
    except ValueError:
        return
    key = json.dumps(value).encode()
    wanted = question.tokens()
    if wanted is not None and question.rank(key_value(key)) is not None:
        assert token(key) in {*map(encoded, wanted)}


def test_a_file_tells_of_keys_in_messages_and_in_headers() -> None:
    """Both ends of a change of key, and every record's own key; those without one are counted."""
    seen = KeysSeen()
    seen.add(record(b'{"id":1}'))
    seen.add(record(b'{"id":2}', "d", newkey=b'{"id":3}'))
    seen.add(record(b'{"id":3}', "c", oldkey=b'{"id":2}'))
    seen.add(record(None, "u"))
    seen.add(record(None, "t"))
    found = seen.filter()
    assert all(found.may_hold([key_hash(str(one).encode())]) for one in (1, 2, 3))
    assert found.keyless == 1


def test_few_files_seem_to_hold_what_they_do_not() -> None:
    """About three in a thousand."""
    made = key_filter.made(range(10_000), 0)
    strangers = [key_hash(str(one).encode()) for one in range(20_000)]
    assert sum(made.may_hold([one]) for one in strangers) < 20_000 * 0.006


def test_a_row_that_is_changed_often_takes_no_more_room() -> None:
    """The filter of ten rows is that of ten rows, however many records they have."""
    once, often = key_filter.made(range(10), 0), key_filter.made([*range(10)] * 1_000, 0)
    assert len(often.bits) <= 1.2 * len(once.bits) + 2


def test_a_filter_survives_its_json() -> None:
    """It is read back from a commit as it was written."""
    made = key_filter.made([1, 2, 3], 4)
    assert msgspec.json.decode(msgspec.json.encode(made), type=KeyFilter) == made
