"""What a published event says against what the changes prove. Pure.

Compared is what is proven, and nothing else: each member of the expected event. An actor or a
project that is not proven is not compared, nor is a member of them that no source gives. Lists are
compared without their order: in an audit log they are sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import Row


class Difference(NamedTuple):
    """A member of an event, as a path from the event, whose published value is not the proven one.

    None: it is not there.
    """

    path: str
    expected: Any
    published: Any


def differences(expected: Row, published: Row, *, extra: bool = False) -> tuple[Difference, ...]:
    """Where a published event contradicts an expected one; id and time are not looked at.

    `extra`: also the members of its payload that no change proves.
    """
    kind, told = expected["type"], published["type"]
    found = [] if kind == told else [Difference("type", kind, told)]
    _compare(kind, expected.get(kind), published.get(told), found)
    for name in ("project", "actor"):
        if expected.get(name) is not None:
            _compare(name, expected[name], published.get(name) or None, found)
    if extra:
        found += [Difference(path, None, value) for path, value in extras(expected, published)]
    return tuple(found)


def extras(expected: Row, published: Row) -> list[tuple[str, Any]]:
    """Members of a published payload that the changes neither prove nor contradict, by path."""
    kind = expected["type"]
    return list(_beyond(kind, expected.get(kind), published.get(published["type"])))


def same_payload(expected: Row, published: Row) -> bool:
    """Whether a published payload says all that is proven."""
    kind = expected["type"]
    found: list[Difference] = []
    _compare(kind, expected.get(kind), published.get(published["type"]), found)
    return not found


def content(event: Row) -> bytes:
    """What an event says (type, payload, actor, project): two that say the same give the same."""
    kind = event["type"]
    told = [kind, event.get(kind), event.get("actor"), event.get("project")]
    return exact_json([_canonical(one) for one in told])


def payload_content(event: Row) -> bytes:
    """What the payload of an event says."""
    return exact_json(_canonical(event.get(event["type"])))


def _compare(path: str, expected: Any, published: Any, found: list[Difference]) -> None:
    """Add what differs; called for every event, so paths are made only of what is nested."""
    if not (isinstance(expected, dict) and isinstance(published, dict)):
        if not _equal(expected, published):
            found.append(Difference(path, expected, published))
        return
    for name, value in expected.items():
        other = published.get(name)
        if isinstance(value, str):
            if value != other:
                found.append(Difference(f"{path}.{name}", value, other))
        elif value is not None:
            _compare(f"{path}.{name}", value, other, found)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return exact_json(_canonical(one)) == exact_json(_canonical(other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def _beyond(path: str, expected: Any, published: Any) -> Iterator[tuple[str, Any]]:
    if not (isinstance(expected, dict) and isinstance(published, dict)):
        return
    for name, value in published.items():
        if value is None:
            continue
        if expected.get(name) is None:
            yield f"{path}.{name}", value
        else:
            yield from _beyond(f"{path}.{name}", expected[name], value)


def _canonical(value: Any) -> Any:
    """Without nulls, members sorted, lists sorted by what they hold."""
    if isinstance(value, dict):
        return {name: _canonical(value[name]) for name in sorted(value) if value[name] is not None}
    if isinstance(value, list):
        return sorted((_canonical(one) for one in value), key=exact_json)
    return value
