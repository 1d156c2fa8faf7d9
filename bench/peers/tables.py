"""Iceberg tables for Debezium's envelopes, described by their metadata alone (no Java, no catalog).

A table holds whole envelopes: `before`, `after`, `source` and the rest, each column as it is typed
in the messages; only `source.ts_ms` is a timestamp, as the partition by hour needs it. Metadata as
in https://iceberg.apache.org/spec/#table-metadata-fields (version 2).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

HOUR = ("source", "ts_ms")
_FIRST_PARTITION_FIELD = 1000
_NUMBERS = ("long", "double")
_CONNECT = {
    "boolean": "boolean",
    "string": "string",
    "bytes": "binary",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "long",
    "float": "float",
    "double": "double",
}

Kind = Any
"""A name of a type, {field: kind}, [kind of the elements], or None: only nulls were seen."""


def kinds(values: Iterable[bytes]) -> dict[str, Kind]:
    """Of each `source.table`, what its envelopes look like.

    Args:
        values: messages of Debezium's JSON, with schemas or without; no tombstones.
    """
    found: defaultdict[str, Kind] = defaultdict(dict)
    for value in values:
        message = json.loads(value)
        schema = message.get("schema") if "payload" in message else None
        envelope = message["payload"] if schema else message
        table = envelope["source"]["table"]
        found[table] = _merged(found[table], _declared(schema) if schema else _seen(envelope))
    return dict(found)


def _seen(value: Any) -> Kind:
    """Of a JSON value, as Connect's converter without schemas reads it."""
    if isinstance(value, dict):
        return {name: _seen(one) for name, one in value.items()}
    if isinstance(value, list):
        kind = None
        for one in value:
            kind = _merged(kind, _seen(one))
        return [kind]
    names = {bool: "boolean", int: "long", float: "double", str: "string"}
    return names.get(type(value))


def _declared(schema: Mapping[str, Any]) -> Kind:
    """Of a schema of Connect's JSON converter."""
    if schema["type"] == "struct":
        return {field["field"]: _declared(field) for field in schema["fields"]}
    if schema["type"] == "array":
        return [_declared(schema["items"])]
    return _CONNECT[schema["type"]]


def _merged(one: Kind, other: Kind) -> Kind:
    """What holds both; text holds everything."""
    if one is None or one == other:
        return other
    if other is None:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: _merged(one.get(name), other.get(name)) for name in one | other}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    return "double" if one in _NUMBERS and other in _NUMBERS else "string"


def metadata(
    kind: Kind, location: str, uuid: str, now_ms: int, properties: Mapping[str, str]
) -> dict[str, Any]:
    """An empty table's metadata, partitioned by the hour of `source.ts_ms`.

    Args:
        kind: of its envelopes.
        location: of the table, a URL.
        uuid: of the table.
        now_ms: milliseconds since 1970.
        properties: of the table.
    """
    ids = count(1)
    schema = {"type": "struct", "schema-id": 0, "fields": list(_fields(kind, ids, ()))}
    by_hour = {
        "name": "hour",
        "transform": "hour",
        "source-id": _id_of(schema, HOUR),
        "field-id": _FIRST_PARTITION_FIELD,
    }
    return {
        "format-version": 2,
        "table-uuid": uuid,
        "location": location,
        "last-sequence-number": 0,
        "last-updated-ms": now_ms,
        "last-column-id": next(ids) - 1,
        "current-schema-id": 0,
        "schemas": [schema],
        "default-spec-id": 0,
        "partition-specs": [{"spec-id": 0, "fields": [by_hour]}],
        "last-partition-id": _FIRST_PARTITION_FIELD,
        "default-sort-order-id": 0,
        "sort-orders": [{"order-id": 0, "fields": []}],
        "properties": dict(properties),
        "snapshots": [],
        "refs": {},
    }


def _fields(
    kinds: Mapping[str, Kind], ids: Iterator[int], path: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """A column of which only nulls were seen is left out: there is nothing to keep of it."""
    for name, kind in kinds.items():
        if kind in (None, {}, [None]):
            continue
        field = {"id": next(ids), "name": name, "required": False}
        yield field | {"type": _type(kind, ids, (*path, name))}


def _type(kind: Kind, ids: Iterator[int], path: tuple[str, ...]) -> Any:
    if path == HOUR:
        return "timestamptz"
    if isinstance(kind, dict):
        return {"type": "struct", "fields": list(_fields(kind, ids, path))}
    if isinstance(kind, list):
        element = {"element-id": next(ids), "element-required": False}
        return {"type": "list"} | element | {"element": _type(kind[0], ids, path)}
    return kind


def _id_of(schema: Mapping[str, Any], path: tuple[str, ...]) -> int:
    field: Any = {"type": schema}
    for name in path:
        field = next(one for one in field["type"]["fields"] if one["name"] == name)
    return int(field["id"])
