"""All Hypothesis strategies in one place."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from cdc_archive.source.message import Message

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
"""Any JSON value, NaN and infinities, huge integers and lone surrogates (as escapes) included."""

rows = st.none() | st.dictionaries(st.text(max_size=8), json_values, max_size=5)
"""A row image."""

separators = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",\n", ":\t")])


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """The text of a change envelope, with members in any order, known and unknown, or missing."""
    members: dict[str, object] = {"op": draw(st.sampled_from("cudrtm"))}
    source = {
        "ts_ms": draw(st.integers()),
        "db": "d",
        "schema": "s",
        "table": draw(st.text(max_size=5)),
    }
    optional = {
        "before": draw(rows),
        "after": draw(rows),
        "source": draw(st.sampled_from([source, None, {}, {"ts_ms": "text"}])),
        "transaction": draw(st.none() | st.just({"id": "1:2", "total_order": 1})),
        "ts_ms": draw(st.integers(0, 2**62)),
        "unknown_field": draw(json_values),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True, min_size=1))
    members |= {name: optional[name] for name in chosen}
    members.setdefault("after", None)
    if draw(st.booleans()):
        head = ("before", "after", "source", "transaction", "op")
        members = {name: members.get(name, optional.get(name)) for name in head} | members
    ordered = members if draw(st.booleans()) else dict(draw(st.permutations(list(members.items()))))
    comma, colon = draw(separators)
    ascii_only = draw(st.booleans())
    text = json.dumps(ordered, separators=(comma, colon), ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass") if ascii_only else _without_surrogates(text)


def _without_surrogates(text: str) -> bytes:
    return text.encode("utf-8", "replace")


headers = st.lists(
    st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=10)), max_size=4
).map(tuple)

messages = st.builds(
    Message,
    topic=st.just("pg.app.t"),
    partition=st.just(0),
    offset=st.integers(0, 2**62),
    timestamp=st.integers(-1, 2**52),
    timestamp_type=st.sampled_from([-1, 0, 1]),
    key=st.none() | st.binary(max_size=20),
    value=st.none() | envelopes() | st.binary(max_size=60),
    headers=headers,
)
"""Any message: envelopes, tombstones and rubbish."""
