"""The model database's tables, and what Debezium writes in the place of what it does not know."""

from __future__ import annotations

import base64
from random import Random
from typing import Any, Final, NamedTuple

Row = dict[str, Any]
Key = tuple[Any, ...]

PLACEHOLDER: Final = "__debezium_unavailable_value"
LONG: Final = 40
"""A text, or its JSON, from this length on is kept out of line."""


class Column(NamedTuple):
    """A column: what it holds, whether NULL may stand there, and whether it may be out of line."""

    name: str
    kind: str = "text"
    not_null: bool = False
    default: Any = None
    toast: bool = False

    def value(self, rng: Random) -> Any:
        """Some value."""
        if not self.not_null and rng.random() < 0.15:
            return None
        number = rng.randrange(6)
        if not self.toast:
            return {"int": number, "bool": number % 2 == 0}.get(self.kind, f"{self.name} {number}")
        size = rng.choice([1, 1, 30])
        text = f"{self.name} {number} " * size
        match self.kind:
            case "bytes":
                return base64.b64encode(text.encode()).decode()
            case "texts":
                return [f"{self.name} {number}"] * size
            case "ints":
                return [number] * size
            case "json":
                return f'{{"{self.kind}": "{text}"}}'
        return text

    def is_out_of_line(self, value: Any) -> bool:
        """Whether the database keeps this value elsewhere: then a change may leave it untouched."""
        return self.toast and value is not None and len(str(value)) >= LONG

    @property
    def placeholder(self) -> Any:
        """What Debezium writes for an untouched value: the mark, in the form of the type."""
        match self.kind:
            case "bytes":
                return base64.b64encode(PLACEHOLDER.encode()).decode()
            case "texts":
                return [PLACEHOLDER]
            case "ints":
                return [ord(one) for one in PLACEHOLDER]
        return PLACEHOLDER

    @property
    def invented(self) -> Any:
        """What stands in the before image of a DELETE under REPLICA IDENTITY DEFAULT."""
        if not self.not_null:
            return None
        if self.default is not None:
            return self.default
        return {"int": 0, "bool": False}.get(self.kind, "")


class Table(NamedTuple):
    """A table; `key` is empty if it has no primary key."""

    name: str
    key: tuple[str, ...]
    full: bool
    columns: tuple[Column, ...]

    def key_of(self, row: Row) -> Key:
        """A row's key."""
        return tuple(row[name] for name in self.key)

    @property
    def others(self) -> list[Column]:
        """The columns beside the key."""
        return [one for one in self.columns if one.name not in self.key]


_ACTORS: Final = (
    Column("created_by", "actor"),
    Column("updated_by", "actor"),
    Column("deleted_by", "actor"),
    Column("deleted_at", "stamp"),
)
_ID: Final = Column("id", "int", not_null=True)
_PROJECT: Final = Column("project_id", "project")

TABLES: Final = (
    Table(
        "project",
        ("id",),
        False,
        (_ID, Column("name", not_null=True), Column("about", toast=True), *_ACTORS),
    ),
    Table(
        "invite",
        ("id",),
        False,
        (
            _ID,
            _PROJECT,
            Column("email", not_null=True),
            Column("status", not_null=True, default="pending"),
            Column("note", toast=True),
            Column("blob", "bytes", toast=True),
            Column("tags", "texts", toast=True),
            Column("counts", "ints", toast=True),
            *_ACTORS,
        ),
    ),
    Table(
        "api_key",
        ("id",),
        True,
        (
            _ID,
            _PROJECT,
            Column("doc", "json", not_null=True, toast=True),
            Column("uses", "int"),
            *_ACTORS,
        ),
    ),
    Table(
        "member",
        ("team", "id"),
        False,
        (
            Column("team", "int", not_null=True),
            _ID,
            Column("role", not_null=True, default="member"),
            *_ACTORS,
        ),
    ),
    Table(
        "certificate",
        ("id",),
        False,
        (_ID, Column("active", "bool", not_null=True), Column("pem", toast=True), *_ACTORS),
    ),
    Table("log", (), True, (Column("line"), Column("level", "int"))),
)
CONTEXT: Final = Table(
    "audit_context", ("id",), False, (_ID, Column("actor", "actor"), Column("at", "int"))
)
