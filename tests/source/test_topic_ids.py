"""Both clients show a topic's id alike, or changing the client would look like another topic."""

from __future__ import annotations

import uuid

from confluent_kafka import Uuid
from hypothesis import example, given
from hypothesis import strategies as st

from cdc_archive.source import kafka_topics, librdkafka_topics

_HALF = st.integers(-(2**63), 2**63 - 1)


@given(_HALF, _HALF)
@example(0, 0)
@example(-1, -1)
def test_an_id_is_shown_alike(high: int, low: int) -> None:
    """As Kafka's tools do: base64 for URLs, without padding; none is none."""
    number = (high % 2**64) << 64 | low % 2**64
    expected = kafka_topics.shown(uuid.UUID(int=number))
    assert librdkafka_topics.shown(Uuid(high, low)) == expected
    assert expected is None or set("+/=").isdisjoint(expected)
