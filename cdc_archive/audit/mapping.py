"""The mapping file: which transitions of rows are which audit events. Read whole, checked whole.

TOML, with JMESPath for conditions and values. The names that an expression may use are `op`,
`table`, `key`, `before`, `after`, `row` (after, or before of a deleted row), `changed` (the changed
columns with their new values) and, outside of `id`, `id`.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import jmespath
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from cdc_archive.errors import MappingInvalid


def _compiled(text: object) -> Any:
    try:
        compiled = jmespath.compile(text)  # type: ignore[arg-type]
        _refuse_loose_not(compiled.parsed)
    except RecursionError:
        raise ValueError("not a JMESPath expression: nested too deep") from None
    except (jmespath.exceptions.JMESPathError, TypeError, AttributeError) as error:
        raise ValueError(f"not a JMESPath expression: {error}") from None
    return compiled


def _refuse_loose_not(node: Any) -> None:
    """`!a.b` is read as `(!a).b`, which is always null: a condition that would never be true."""
    children = node.get("children", [])
    if node.get("type") == "subexpression" and children[0]["type"] == "not_expression":
        raise ValueError("`!a.b` is read as `(!a).b`; write `!(a.b)`")
    for child in children:
        if isinstance(child, dict):
            _refuse_loose_not(child)


Expression = Annotated[Any, PlainValidator(_compiled)]
"""A compiled JMESPath expression; `.search(values)` evaluates it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ChangedField(_Part):
    """A payload field that is written only if one of its columns provably changed."""

    field: str
    columns: Annotated[list[str], Field(min_length=1)]
    value: Expression | None = None


class Rule(_Part):
    """One kind of event.

    Fires on a transition `on` a table whose name ends in one of `tables`, if one of the columns
    `changed` changed (where given), if one of `changes` has a value (where given), and if `when`
    is true (where given). `needs` names columns of the version before without which it cannot be
    told whether it fires.
    """

    type: str
    tables: Annotated[list[str], Field(min_length=1)]
    on: Literal["create", "update", "delete"]
    id: Expression
    changed: list[str] = []
    when: Expression | None = None
    needs: list[str] = []
    payload: Expression | None = None
    changes: list[ChangedField] = []
    project: Expression | None = None


class ActorRules(_Part):
    """Where the actor of a change stands: columns in the order in which they are looked at.

    `template` turns a JSON object found there into the event's actor, `plain` any other value.
    A column that the change did not touch says nothing of its actor, unless `trust_unchanged`.
    """

    create: list[str] = []
    update: list[str] = []
    delete: list[str] = []
    template: Expression
    plain: Expression | None = None
    trust_unchanged: bool = False


class Mapping(_Part):
    """A whole mapping file."""

    name: str
    actor: ActorRules
    rule: Annotated[list[Rule], Field(min_length=1)]

    def types(self) -> list[str]:
        """All event types, in the order of the file."""
        return list(dict.fromkeys(rule.type for rule in self.rule))


_adapter = TypeAdapter(Mapping)
_MAX_BYTES: Final = 4 << 20


def load(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MappingInvalid: lists every fault, by rule.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise MappingInvalid(f"{path} has more than the {_MAX_BYTES:,} bytes of a mapping")
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"{path} cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, where: str) -> Mapping:
    """Read a mapping out of TOML text; `where` names it in messages."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits is a ValueError
        raise MappingInvalid(f"{where} is not a TOML file: {error}") from None
    try:
        return _adapter.validate_python(content)
    except ValidationError as error:
        faults = [_fault(content, detail) for detail in error.errors(include_url=False)]
        told = "\n".join(f"- {fault}" for fault in faults)
        raise MappingInvalid(f"{where} has {len(faults)} faults\n{told}") from None


def _fault(content: dict[str, Any], detail: Any) -> str:
    place = list(detail["loc"])
    name = ".".join(str(part) for part in place)
    if place[:1] == ["rule"] and len(place) > 1 and isinstance(place[1], int):
        rule = content["rule"][place[1]]
        kind = rule.get("type", "without type") if isinstance(rule, dict) else "no table"
        name = f"rule {place[1] + 1} ({kind}): " + ".".join(str(part) for part in place[2:])
    if detail["type"] == "extra_forbidden":
        model = Rule if place[0] == "rule" else ActorRules if place[0] == "actor" else Mapping
        near = difflib.get_close_matches(str(place[-1]), [*model.model_fields], n=1)
        return f"{name} is unknown" + (f"; did you mean {near[0]}?" if near else "")
    if detail["type"] == "missing":
        return f"{name} is missing"
    return f"{name}: {detail['msg'].removeprefix('Value error, ')}"
