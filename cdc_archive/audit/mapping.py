"""The mapping file: which transitions of rows are which audit events. Read whole, checked whole.

TOML, with JMESPath for conditions and values; docs/mapping.md tells each key. The names that an
expression of a rule may use are `op`, `table`, `key`, `before`, `after`, `row` (after, or before of
a deleted row), `changed` (the changed columns with their new values) and, after `id` is known,
`id`; `payload` of a rule that groups has `items` too.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from cdc_archive.audit.actor_rules import ActorRules
from cdc_archive.audit.expression import Expression
from cdc_archive.audit.faults import told
from cdc_archive.audit.sections import (
    Names,
    OverEvent,
    OverItems,
    OverRow,
    Section,
    refuse,
    wrong,
)
from cdc_archive.decode.logical_types import hinted
from cdc_archive.decode.unavailable import UNAVAILABLE, Unavailable
from cdc_archive.errors import MappingInvalid

_EITHER: Final[dict[str, Any]] = {
    "if": {"required": ["group"]},
    "then": {"required": ["item", "payload"]},
    "else": {"required": ["id"], "not": {"required": ["item"]}},
}


class ChangedField(Section):
    """A payload field that is written only if one of its columns provably changed."""

    field: str
    """The field of `changes_requested`."""
    columns: Names
    """The columns that it stands in; the first that changed gives the value."""
    value: OverEvent | None = None
    """JMESPath: the value, if it is not the column's."""


class Rule(Section):
    """One kind of event: fires on a row's step if all that is given here holds."""

    model_config = ConfigDict(json_schema_extra=_EITHER)

    type: str
    """The event's type, and the name of its payload."""
    tables: Names
    """Ends of the tables' names (wildcards): `api_key` fits `db.app.api_key`."""
    on: Literal["create", "update", "delete"]
    """What happened to the row; a soft deletion is an update."""
    id: OverRow | None = None
    """JMESPath: the id of what the event is about; null: not proven. Optional with group."""
    changed: tuple[str, ...] = ()
    """One of these columns provably changed."""
    when: OverRow | None = None
    """JMESPath: a condition. False, null and what is empty are not true; zero is."""
    needs: tuple[str, ...] = ()
    """Columns of the version before without which it cannot be told whether the rule fires."""
    payload: OverItems | None = None
    """JMESPath: the payload; default `{id: id}`. Members that are null are left out."""
    changes: tuple[ChangedField, ...] = ()
    """The payload's `changes_requested`: fields whose columns changed, with their new values."""
    project: OverEvent | None = None
    """JMESPath: the event's project, an object with `id` and perhaps `name`."""
    group: Literal["transaction"] | None = None
    """All rows of a transaction that match make one event, where the first of them stands."""
    item: OverEvent | None = None
    """JMESPath: with group, what one row contributes to `items`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Rule:
        payload = self.payload
        if self.group is None:
            sees_items = payload is not None and "items" in payload.names
            refuse(
                wrong(
                    (self.id is None, "id is missing"),
                    (self.item is not None, "item is there only with group"),
                    (sees_items, "payload: items is there only with group"),
                )
            )
            return self
        looks_up = payload is not None and bool(payload.lookups)
        refuse(
            wrong(
                (self.item is None, "item is missing: with group each row gives one"),
                (payload is None, "payload is missing: with group it says where items go"),
                (bool(self.changes), "changes cannot stand beside group"),
                (looks_up, "payload: with group a look-up belongs into item"),
            )
        )
        return self

    @property
    def is_conditional(self) -> bool:
        """Whether it fires on some of the transitions only."""
        return bool(self.changed or self.changes or self.when is not None)

    def expressions(self) -> list[Expression]:
        """All that it is told by."""
        found = [self.id, self.when, self.payload, self.project, self.item]
        found += [field.value for field in self.changes]
        return [one for one in found if one is not None]


class Lookup(Section):
    """Rows of other tables, as they were at the time of a change: `lookup('NAME', value)`."""

    tables: Names
    """Ends of the tables' names (wildcards)."""
    by: str
    """The column that the value is compared with."""


def _a_type(hint: str) -> str:
    hinted(hint)
    return hint


Hint = Annotated[str, Field(max_length=100), AfterValidator(_a_type)]
"""The name of a type, see `logical_types.hinted`."""


class TypeHints(Section):
    """What columns of JSON without schemas hold. A schema that came with the message wins."""

    tables: Names
    """Ends of the tables' names (wildcards)."""
    columns: dict[str, Hint]
    """Column to type: decimal(2), date, timestamp_us, time_us, json, bytes, ..., date[]."""


def _a_placeholder(text: str) -> str:
    Unavailable(text)
    return text


class Mapping(Section):
    """A whole mapping file."""

    name: str
    """The mapping's name, for messages."""
    unavailable_value: Annotated[str, AfterValidator(_a_placeholder)] = UNAVAILABLE
    """The connector's `unavailable.value.placeholder`; `hex:` and digits for bytes."""
    actor: ActorRules
    """Who made a change."""
    lookup: dict[str, Lookup] = Field(default={})
    """Tables that expressions look into, by name."""
    hints: list[TypeHints] = Field(default=[], alias="types")
    """Types of columns, for JSON without schemas."""
    rule: Annotated[list[Rule], Field(min_length=1)]
    """The kinds of events, in the order in which events of one change are told."""

    def types(self) -> list[str]:
        """All event types, in the order of the file."""
        return list(dict.fromkeys(rule.type for rule in self.rule))

    def sources_beside(self) -> list[tuple[int, Literal["message", "row"]]]:
        """Number and kind of the actor sources that stand on other messages than the change's own.

        They must be gathered before the first event is made; see `beside.Witnesses`.
        """
        return [
            (number, "message" if source.kind == "message" else "row")
            for number, source in enumerate(self.actor.source)
            if source.kind in ("message", "row")
        ]


_adapter = TypeAdapter(Mapping)
_MAX_BYTES: Final = 4 << 20


def text_of(path: Path) -> str:
    """The text of a mapping file.

    Raises:
        MappingInvalid: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise MappingInvalid(f"{path} has more than the {_MAX_BYTES:,} bytes of a mapping")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"{path} cannot be read: {error}") from None


def load(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MappingInvalid: lists every fault, by rule.
    """
    return parse(text_of(path), str(path))


def parse(text: str, where: str) -> Mapping:
    """Read a mapping out of TOML text; `where` names it in messages."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits is a ValueError
        raise MappingInvalid(f"{where} is not a TOML file: {error}") from None
    lookups = content.get("lookup")
    context = {"lookups": set(lookups) if isinstance(lookups, dict) else set()}
    try:
        return _adapter.validate_python(content, context=context)
    except ValidationError as error:
        found = [told(Mapping, content, detail) for detail in error.errors(include_url=False)]
        listed = "\n".join(f"- {fault}" for fault in found)
        many = f"{len(found)} faults" if len(found) > 1 else "a fault"
        raise MappingInvalid(f"{where} has {many}\n{listed}") from None
