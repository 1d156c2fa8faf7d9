"""Whatever is done to an archive: verify goes on to its end, and says of each object one thing."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.tamper_world import put, world

from cdc_archive.errors import ArchiveDamaged, ArchiveMissing
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.storage.memory import MemoryStore

W = world()
VALUES: list[Any] = [None, 0, -1, 1 << 62, 1 << 200, "", "x", "\ud800", "\0", [], {}, [[]], 0.5]
KINDS = ("changes/", "quarantine/", "commits/", "digests/", "keys/", "archive.probe")
UNSEALED = ("t/0/000000000006.json", "t/0/000000000007.json", "/20.json")
SEALED = [
    key
    for key in W.objects
    if key.startswith(KINDS) and not key.endswith(UNSEALED) and "hour=21" not in key
]
"""What a digest holds, or names, or vouches for."""
NOW = datetime.fromtimestamp(W.now, UTC)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member and item of a JSON value: where it stands, and its name there."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        yield value, name
        if isinstance(inner, dict | list):
            yield from places(inner)


def act(rng: random.Random, store: MemoryStore) -> None:
    """One thing that somebody may do."""
    keys = sorted(store._objects)
    key, other = rng.choice(keys), rng.choice(keys)
    data = store.get(key)
    choice = rng.randrange(8)
    if choice == 0:
        del store._objects[key]
    elif choice == 1 and data:
        at = rng.randrange(len(data))
        put(store, key, data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :])
    elif choice == 2:
        put(store, key, data[: rng.randrange(len(data) + 1)])
    elif choice == 3:
        put(store, other, data)
    elif choice == 4:
        put(store, key, store.get(other))
        put(store, other, data)
    elif choice == 5:
        put(store, rng.choice([key + "x", "x/" + key, key.replace("0", "1", 1), "%"]), data)
    elif key.endswith(".json") and data.startswith(b"{"):
        edit(rng, store, key, data)


def edit(rng: random.Random, store: MemoryStore, key: str, data: bytes) -> None:
    """Another value somewhere in a JSON object."""
    try:
        value = json.loads(data)
    except ValueError:
        return
    inside, name = rng.choice([*places(value)])
    if rng.random() < 0.2 and isinstance(inside, dict):
        del inside[name]
    else:
        inside[name] = copy.deepcopy(rng.choice(VALUES))
    put(store, key, json.dumps(value, separators=(",", ":")).encode())


@pytest.mark.parametrize("seed", range(60))
def test_verify_goes_to_its_end(seed: int) -> None:
    """It may refuse what has no description that can be read; and what is damaged it finds."""
    rng = random.Random(seed)
    store = W.store()
    acts = rng.choice([1, 1, 2, 5, 20])
    for _ in range(acts):
        act(rng, store)
    asked = Asked(trusted=[W.old.public_key] if seed % 2 else (), now=NOW)
    try:
        found = [*Verification(store, asked).run()]
    except (ArchiveMissing, ArchiveDamaged):
        assert "archive.json" not in store._objects or len(store._objects) < 5
        return
    twice = [one for one, n in Counter(one.key for one in found if one.is_damage).items() if n > 2]
    assert not twice
    assert all(one.what and "\n" not in one.what for one in found)
    if acts == 1:
        changed = [one for one in SEALED if store._objects.get(one, (b"",))[0] != W.objects[one]]
        assert {*changed} <= {one.key for one in found}
