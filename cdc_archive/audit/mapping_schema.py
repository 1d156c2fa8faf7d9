"""The JSON Schema of a mapping file: what editors know of it, made from the model itself."""

from __future__ import annotations

import json
from typing import Any, Final

from cdc_archive.audit.mapping import Mapping

_HEAD: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "cdc-archive mapping",
    "description": "Which changes of rows are which audit events; see docs/mapping.md.",
}


def schema() -> dict[str, Any]:
    """The schema as a JSON value. Expressions are texts in it: only a check compiles them."""
    made: dict[str, Any] = _without_null(Mapping.model_json_schema())
    return _HEAD | made | _HEAD


def _without_null(node: Any) -> Any:
    """Without what TOML does not have, and titles that only repeat a key."""
    if isinstance(node, list):
        return [_without_null(one) for one in node]
    if not isinstance(node, dict):
        return node
    given = {name: _without_null(one) for name, one in node.items()}
    if given.get("default", ...) is None:
        del given["default"]
    if isinstance(given.get("title"), str):
        del given["title"]
    choices = given.get("anyOf", [])
    if {"type": "null"} in choices:
        (only,) = (one for one in choices if one != {"type": "null"})
        del given["anyOf"]
        given = only | given
    return given


def schema_text() -> str:
    """The schema as it stands in schemas/mapping.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"
