"""A published audit log with faults, in a real Kafka: of the acts on the example schema."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from support.platform_events import EXPECTED
from support.real_stack import RealStack

PEOPLE = ("invite.", "user.", "group.")
RULES = [
    {"name": "people", "types": [f"{one}*" for one in PEOPLE]},
    {"name": "rest", "types": ["*"]},
]
ALTERED = {
    "api_key.created": ("data", {"scopes": ["everything"]}),
    "role.created": ("role_name", "emperor"),
    "rate_limit.updated": ("changes_requested", {"max_requests_per_1_minute": 7}),
}
DOUBLED = ("scim.enabled", "certificates.activated", "external_key.registered")


class Log(NamedTuple):
    """A topic, what was lost, altered and doubled on its way there, and the events' window."""

    topic: str
    lost: Counter[str]
    altered: Counter[str]
    doubled: Counter[str]
    window: list[str]


def published(stack: RealStack, topic: str, truth: list[dict[str, Any]]) -> Log:
    """Publish what really happened, as it was written down by hand, with faults."""
    admin = KafkaAdminClient(bootstrap_servers=stack.kafka)
    admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "-1"})])
    admin.close()
    lost, altered, doubled = Counter[str](), Counter[str](), Counter[str]()
    producer = KafkaProducer(bootstrap_servers=stack.kafka)
    for number, (event, (kind, payload, *_)) in enumerate(zip(truth, EXPECTED, strict=True)):
        if kind.startswith(PEOPLE):
            lost[kind] += 1
            continue
        told = event | {"id": f"own-{number}", kind: payload}
        if kind in ALTERED:
            altered[kind] += 1
            member, value = ALTERED[kind]
            told[kind] = payload | {member: value}
        copies = [told]
        if kind in DOUBLED:
            doubled[kind] += 1
            copies.append(told | {"id": f"again-{number}"} if number % 2 else told)
        for one in copies:
            key = one[kind].get("id")
            producer.send(topic, json.dumps(one).encode(), key=key and key.encode())
    producer.flush()
    producer.close()
    first, last = truth[0]["effective_at"], truth[-1]["effective_at"]
    return Log(topic, lost, altered, doubled, ["--from", time(first), "--to", time(last + 1)])


def time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
