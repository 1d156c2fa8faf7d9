"""A fault of a mapping file in words: which rule or source, which key, and what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from types import UnionType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

_FORMER: Final = ("create", "update", "delete", "trust_unchanged")
"""Keys that stood in [actor] before it had sources."""


_WORDS: Final = {
    "tuple_type": 'must be a list, as in ["scopes"]',
    "list_type": 'must be a list, as in ["scopes"]',
    "string_type": "must be a text",
    "dict_type": "must be a table, as in { name = value }",
    "model_type": "must be a table, as in { name = value }",
    "bool_type": "must be true or false",
}
"""What pydantic says in words of its own."""


def told(model: type[BaseModel], content: dict[str, Any], detail: Any) -> str:
    """One of pydantic's errors over `content`, which was to be a `model`."""
    place = list(detail["loc"])
    name = _name(content, place)
    if detail["type"] == "extra_forbidden":
        if place[:1] == ["actor"] and len(place) == 2 and place[1] in _FORMER:  # noqa: PLR2004
            return (
                f"{name} now stands in a source: [[actor.source]] "
                "columns = { create = [...], update = [...], delete = [...] }"
            )
        near = difflib.get_close_matches(str(place[-1]), _keys(model, place[:-1]), n=1)
        return f"{name} is unknown" + (f"; did you mean {near[0]}?" if near else "")
    if detail["type"] == "missing":
        return f"{name} is missing"
    text = _WORDS.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return f"{name}: {text}" if not name.endswith(": ") else name + text


def _name(content: dict[str, Any], place: Sequence[Any]) -> str:
    """The key with its section: sections of a list are counted, rules named by their type too."""
    if place[:1] == ["rule"] and len(place) > 1 and isinstance(place[1], int):
        rule = content["rule"][place[1]]
        kind = rule.get("type", "without type") if isinstance(rule, dict) else "no table"
        return f"rule {place[1] + 1} ({kind}): " + _dotted(place[2:])
    return _dotted(place)


def _dotted(place: Sequence[Any]) -> str:
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f" {part + 1}"
        else:
            text += f".{part}" if text else str(part)
    return text


def _keys(model: type[BaseModel], place: Sequence[Any]) -> list[str]:
    """The keys that the section at this place may have."""
    found: Any = model
    for part in place:
        if get_origin(found) in (tuple, list, dict):
            found = next(one for one in reversed(get_args(found)) if one is not ...)
        elif isinstance(found, type) and issubclass(found, BaseModel):
            fields = {field.alias or name: field for name, field in found.model_fields.items()}
            found = _given(fields[part].annotation) if part in fields else None
    if not isinstance(found, type) or not issubclass(found, BaseModel):
        return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _given(annotation: Any) -> Any:
    """What stands there if it is given: `Model` of `Model | None`."""
    return get_args(annotation)[0] if get_origin(annotation) is UnionType else annotation
