"""The express lane gives the same files, byte for byte, as the plain way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.captures import messages
from support.compiled import can_compile, choose
from support.lanes import T, later, plainly, quickly

from cdc_archive.archive.format.commit import SourceMark
from cdc_archive.archive.writer import express
from cdc_archive.archive.writer.batch import AT_THE_BEGINNING, Follows
from cdc_archive.source.message import Message

RECORDED = [one for name in ("pg_jp", "pg_js", "pg_dup") for one in messages(name)][::3]
_HOUR_US = 3_600_000_000


@pytest.fixture(params=["python", "compiled"], autouse=True)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either lane; the compiled one is missing where it could not be compiled."""
    return choose(express, request, monkeypatch)


def test_the_lane_is_compiled_where_a_compiler_is() -> None:
    """Else nothing would test it."""
    if can_compile():
        assert express._found() is not None


def _numbered(sent: Sequence[Message], steps: Sequence[int]) -> list[Message]:
    numbered, offset = [], 7
    for message, step in zip(sent, steps, strict=True):
        offset += step
        numbered.append(message._replace(topic=T.topic, partition=T.partition, offset=offset))
        offset += 1
    return numbered


def _elsewhere(value: bytes, lsn: int, snapshot: bytes) -> bytes:
    """The same change at another place of the stream."""
    value = re.sub(rb'"lsn":\d+', b'"lsn":%d' % lsn, value)
    value = re.sub(rb'"sequence":"[^,]*,', b'"sequence":"[\\"%d\\",' % lsn, value)
    return re.sub(rb'"snapshot":"\w+"', b'"snapshot":"%b"' % snapshot, value)


def _damaged(value: bytes, at: int, patch: bytes, cut: int) -> bytes:
    at %= len(value) + 1
    return value[:at] + patch + value[at + cut :]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=20,
)
PATCHES = [
    b"", b" ", b"\n", b"null", b"[null", b'"', b"\\", b"{", b"}", b"\xff", b"\x01", b"0", b"-1",
    b"1e3", b'"before":1,', b"\0", b"\\u00e9", b"\\ud800", b"\\u12", b"01", b"1.", b"-", b"tru",
    b"\xc3", b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xe2\x80",
    b"[" * 80, b"[" * 80 + b"]" * 80, b'"a":', b',"a":[1,-0.5e+7,true,{}]', b"\x7f", b",",
    b',"after":{}', b',"source":null', b',"transaction":null', b'"op":"m"',
    b'"snapshot":"true"', b'"table":null', b'"\xe2\x80\x99"', b"x" * 20_000,
]  # fmt: skip
KEYS = st.one_of(
    st.sampled_from([None, b"", b"k" * 20_000, b"{}", b'{"":""}', b'{"id":-0}', b'{"id":01}']),
    st.sampled_from(
        [b'{"id":"\\""}', b'{"id":"\x7f"}', b'{"id":"\xe9"}', b'{"id":"a\nb"}', b'{"id":1} ']
    ),
    st.builds(lambda value: json.dumps({"id": value}, separators=(",", ":")).encode(), JSON),
    st.builds(
        lambda schema, value: json.dumps(
            {"schema": schema, "payload": {"id": value}}, separators=(",", ":")
        ).encode(),
        JSON,
        JSON,
    ),
    st.sampled_from(
        [b'{"schema":"\\ud800","payload":{"id":1}}', b'{"schema":1,"payload":{"id":1}']
    ),
    st.integers(98, 103).map(lambda digits: b'{"id":%b}' % (b"9" * digits)),
    st.integers(98, 103).map(lambda digits: b'{"id":-%b}' % (b"9" * digits)),
)
TIMES = st.one_of(
    st.sampled_from([0, -1, 946_684_800_000_000, 7_258_118_400_000_000, 1 << 62, 999]),
    st.integers(1_771_516_800_000_000, 1_771_516_800_000_000 + 3 * _HOUR_US),
)
PLACES = st.sampled_from([500, 1_000, 1_500, 2_000])
FOLLOWS = st.one_of(
    st.just(AT_THE_BEGINNING),
    st.builds(
        SourceMark,
        st.sampled_from(["jp", "js"]),
        PLACES,
        st.booleans(),
        st.one_of(st.none(), PLACES),
    ).map(lambda mark: Follows(0, mark)),
)


@st.composite
def changed(draw: st.DrawFn) -> Message:
    """A recorded message, as it was or a little other than it was."""
    message = draw(st.sampled_from(RECORDED))
    value = message.value
    if value is not None and draw(st.booleans()):
        value = later(value, draw(TIMES))
    if value is not None and draw(st.integers(0, 3)) == 0:
        snapshot = draw(st.sampled_from([b"false", b"incremental", b"first", b"true"]))
        value = _elsewhere(value, draw(PLACES), snapshot)
    if value is not None and draw(st.integers(0, 3)) == 0:
        where = draw(st.integers(0, 1 << 16))
        value = _damaged(value, where, draw(st.sampled_from(PATCHES)), draw(st.integers(0, 3)))
    if draw(st.integers(0, 3)) == 0:
        message = message._replace(
            key=draw(KEYS),
            timestamp=draw(st.sampled_from([-1, 0, 16_383, 16_384, 1 << 45])),
            timestamp_type=draw(st.sampled_from([-1, 0, 1])),
            headers=draw(st.sampled_from([(), (("a", None), ("a", b"")), (("\udcff", b"x"),)])),
        )
    return message._replace(value=value)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the same lane for all examples
)
@given(st.lists(changed(), max_size=12), FOLLOWS, st.data())
def test_the_express_lane_gives_the_same_bytes_as_the_plain_way(
    sent: list[Message], follows: Follows, data: st.DataObject
) -> None:
    """Whatever the messages are: files, counts, times, holes and the stream's position."""
    twice = [one for message in sent for one in (message, message)]
    steps = [data.draw(st.sampled_from([0, 0, 0, 0, 1, 9_000])) for _ in twice]
    numbered = _numbered(twice, steps)
    assert quickly(numbered, follows)[0] == plainly(numbered, follows)


def test_a_row_of_an_incremental_snapshot_hides_no_change_before_it() -> None:
    """With a stream that a person let begin anew: what was streamed since still counts."""
    (row,) = [one for one in RECORDED if one.value and b'"op":"u"' in one.value][:1]
    assert row.value is not None
    places = [(1_500, b"false"), (1_500, b"false"), (1_600, b"incremental"), (500, b"false")]
    values = [_elsewhere(row.value, lsn, snapshot) for lsn, snapshot in places]
    sent = [
        row._replace(topic=T.topic, partition=T.partition, offset=7 + at, value=value)
        for at, value in enumerate(values)
    ]
    follows = Follows(0, SourceMark("jp", 1_000, streaming=False, restart=1_000))
    result, quick = quickly(sent, follows)
    assert quick == 3
    assert result == plainly(sent, follows)
    assert result[2] == SourceMark("jp", 500, streaming=True, restart=1_000)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(JSON, JSON, JSON, st.booleans(), st.sampled_from([None, (",", ":"), (", ", ": ")]))
def test_rows_of_any_json_are_kept_as_they_are(
    before: object, after: object, other: object, ascii_only: bool, layout: tuple[str, str] | None
) -> None:
    """Any value in any row, or beside it."""
    source = {"db": "d", "table": "t\u00e9", "ts_ms": 1_771_516_800_000, "name": "pg"}
    source |= {"ts_us": 1_771_516_800_000_001, "snapshot": "false", "other": other}
    value = {"before": before, "after": after, "source": source, "transaction": None}
    value |= {"op": "u", "other": other}
    text = json.dumps(value, ensure_ascii=ascii_only, separators=layout).encode("utf-8", "replace")
    first = Message(*T, 7, 1_771_516_800_000, 0, b"k", text)
    sent = [first, first._replace(offset=8), first._replace(offset=9)]
    assert quickly(sent)[0] == plainly(sent)


FIRSTS = (
    0x7F,
    0x80,
    0xBF,
    0xC0,
    0xC1,
    0xC2,
    0xDF,
    0xE0,
    0xE1,
    0xEC,
    0xED,
    0xEE,
    0xEF,
    0xF0,
    0xF1,
    0xF4,
    0xF5,
)
EDGES = (0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0)


def test_utf_8_is_as_strict_as_pythons() -> None:
    """Each first byte with each kind of byte after it."""
    (row,) = [one for one in RECORDED if one.value and b'"op":"u"' in one.value][:1]
    assert row.value is not None
    whole = row._replace(topic=T.topic, partition=T.partition)
    for first in FIRSTS:
        texts = [bytes((first, *more)) for size in range(4) for more in product(EDGES, repeat=size)]
        values = [row.value.replace(b'"op":"u"', b'"op":"u","x":"%b"' % text) for text in texts]
        sent = [
            whole._replace(offset=7 + at, value=one) for at, one in enumerate([row.value, *values])
        ]
        assert quickly(sent)[0] == plainly(sent)


def _each_damage(value: bytes) -> Iterator[bytes]:
    """Each byte left out, doubled, or another; and the value cut off there."""
    for at in range(len(value)):
        yield value[:at] + value[at + 1 :]
        yield value[: at + 1] + value[at:]
        yield value[:at]
        for other in (b'"', b"\\", b"\0", b",", b"}", b"0", b"\xe2"):
            yield value[:at] + other + value[at + 1 :]


@pytest.mark.parametrize("name", ["pg_jp", "pg_js"])
def test_no_damaged_byte_is_taken_for_sound(name: str) -> None:
    """A message with damage at any place goes where the plain way puts it."""
    whole = next(one for one in messages(name) if one.value and b'"op":"u"' in one.value)
    assert whole.value is not None
    step = len(whole.value) // 1_200 + 1
    for damaged in islice(_each_damage(whole.value), None, None, step):
        sent = _numbered([whole, whole._replace(value=damaged), whole], [0, 0, 0])
        assert quickly(sent)[0] == plainly(sent), damaged


@pytest.mark.parametrize("name", ["pg_jp", "pg_js", "pg_dup"])
def test_almost_every_recorded_change_takes_the_express_lane(name: str) -> None:
    """All rows that are not the first of their file."""
    rows = [
        message
        for message in messages(name)
        if message.value and b'"op":"' in message.value and message.topic.endswith("rate_limit")
    ]
    assert len(rows) > 20
    numbered = _numbered(rows, [0] * len(rows))
    result, quick = quickly(numbered)
    assert result == plainly(numbered)
    assert quick >= len(rows) - 2 * len(result[0])


def test_numbers_of_any_size_are_encoded_as_the_plain_way_encodes_them() -> None:
    """Offsets and times at each step of Avro's variable length."""
    (row,) = [one for one in RECORDED if one.value and b'"op":"u"' in one.value][:1]
    assert row.value is not None
    for bits in range(14, 44):
        start = (1 << bits) - 2
        sent = [
            row._replace(
                topic=T.topic,
                partition=T.partition,
                offset=start + number,
                timestamp=start + number + (1 << 14),
                value=later(row.value, 1_771_516_800_000_000 + start % _HOUR_US),
            )
            for number in range(4)
        ]
        result, quick = quickly(sent)
        assert quick == 3
        assert result == plainly(sent)
