"""What a published event looks like, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.services import Rule, Services
from cdc_archive.reconcile.shape import Names, Shape

SECOND = 1_000_000
OURS = Shape(Names(), Services())
EVENT = {"id": "e1", "type": "api_key.deleted", "effective_at": 1_771_502_400}
PAYLOAD = {"api_key.deleted": {"id": "key_1"}}


def read(shape: Shape, value: Any) -> Published | Unreadable:
    return shape.read(json.dumps(value).encode(), "here")


def test_an_event_of_openai_is_taken_as_it_is() -> None:
    """Its service is not told."""
    event = {**EVENT, **PAYLOAD, "actor": None, "more": 1}
    assert read(OURS, event) == Published(event, "", "here", 1_771_502_400 * SECOND)
    assert OURS.resource(event) == "key_1"


def test_another_shape_becomes_ours() -> None:
    """By JMESPath, out of what surrounds it."""
    names = Names(
        event="record.event",
        id="meta.uid",
        type="join('.', [what, how])",
        time="meta.at",
        time_unit="ms",
        payload="{id: target, changes_requested: changes}",
        actor="by",
        project="null_one",
        service="record.app",
    )
    value = {
        "record": {
            "app": "keys",
            "event": {
                "meta": {"uid": 7, "at": 1_771_502_400_123},
                "what": "api_key",
                "how": "updated",
                "target": "key_1",
                "changes": {"scopes": ["a"]},
                "by": {"type": "session"},
            },
        }
    }
    found = read(Shape(names, Services()), value)
    assert found == Published(
        {
            "id": "7",
            "type": "api_key.updated",
            "effective_at": 1_771_502_400,
            "actor": {"type": "session"},
            "api_key.updated": {"id": "key_1", "changes_requested": {"scopes": ["a"]}},
        },
        "keys",
        "here",
        1_771_502_400_123_000,
    )


def test_an_event_as_text_in_an_envelope_is_read() -> None:
    """As an outbox has it."""
    shape = Shape(Names(event="payload"), Services())
    found = read(shape, {"payload": json.dumps(EVENT | PAYLOAD)})
    assert isinstance(found, Published)
    assert found.event == EVENT | PAYLOAD


@pytest.mark.parametrize(
    ("time", "time_us"),
    [
        ("2026-02-19T12:00:00Z", 1_771_502_400_000_000),
        ("2026-02-19T13:00:00.5+01:00", 1_771_502_400_500_000),
        ("2026-02-19T12:00:00", 1_771_502_400_000_000),
        (1_771_502_400.25, 1_771_502_400_250_000),
    ],
)
def test_a_time_is_a_number_or_a_text(time: object, time_us: int) -> None:
    """UTC unless it says otherwise."""
    found = read(OURS, EVENT | {"effective_at": time})
    assert isinstance(found, Published)
    assert found.time_us == time_us


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "no JSON text"),
        (b"\xff\xfe", "no JSON text"),
        (b" ", "empty"),
        (b"7", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"effective_at": 1}', "no type"),
        (b'{"type": 7, "effective_at": 1}', "no type"),
        (b'{"type": "x"}', "no time"),
        (b'{"type": "x", "effective_at": "noon"}', "its time is none of ISO 8601: 'noon'"),
        (b'{"type": "x", "effective_at": true}', "its time is neither a number nor a text"),
        (
            b'{"type": "x", "effective_at": 1771502400123}',
            "its time is none in reconcile.time_unit: 1771502400123",
        ),
        (b'{"type": "x", "effective_at": 1e300}', "its time is none in reconcile.time_unit"),
        (b"[" * 5000, "no JSON text"),
    ],
)
def test_what_is_no_event_is_told_with_its_place(data: bytes, reason: str) -> None:
    """And never breaks the run."""
    found = OURS.read(data, "log:7")
    assert isinstance(found, Unreadable)
    assert found.where == "log:7"
    assert found.reason.startswith(reason)


def test_a_jmespath_that_does_not_fit_an_event_is_told_without_its_text() -> None:
    """An event may hold what nobody may see."""
    shape = Shape(Names(id="join('-', parts)"), Services())
    found = read(shape, EVENT | {"parts": [1, "secret"]})
    assert isinstance(found, Unreadable)
    assert "secret" not in found.reason


def test_a_header_wins_over_the_event_and_the_event_over_rules() -> None:
    """For the service."""
    shape = Shape(Names(service="app"), Services([Rule("rule", ["*"])]))
    told = json.dumps(EVENT | {"app": "told"}).encode()
    services = [
        shape.read(told, "", b"header"),
        shape.read(told, ""),
        read(shape, EVENT),
    ]
    assert [one.service for one in services if isinstance(one, Published)] == [
        "header",
        "told",
        "rule",
    ]


def test_what_an_event_is_about_may_stand_elsewhere_in_the_payload() -> None:
    """Of proven and of published events alike."""
    shape = Shape(Names(resource="key.uid"), Services())
    assert shape.resource({"type": "x", "x": {"key": {"uid": 7}}}) == "7"
    assert shape.resource({"type": "x", "x": []}) == ""
    assert shape.resource({"type": "x"}) == ""
