"""The mapping file: which transitions of rows are which audit events. Read whole, checked whole.

TOML, with JMESPath for conditions and values; docs/mapping.md tells each key. The names that an
expression of a rule may use are `op`, `table`, `key`, `before`, `after`, `row` (after, or before of
a deleted row), `changed` (the changed columns with their new values) and, after `id` is known,
`id`; `payload` of a rule that groups has `items` too.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from cdc_archive.audit.expression import Expression
from cdc_archive.audit.faults import told
from cdc_archive.decode.images import UNAVAILABLE
from cdc_archive.errors import MappingInvalid

ROW_NAMES: Final = ("op", "table", "key", "before", "after", "row", "changed")
"""What an expression over a row's step may name."""
CONTEXT_NAMES: Final = ("row", "op", "table")
"""What an expression over a row of a context table may name."""

_HINT: Final = r"^(decimal\(\d{1,4}\)|date|timestamp_(ms|us|ns)|time_(ms|us|ns)|json|bytes)$"


def _over(*names: str) -> PlainValidator:
    """Compiles an expression that may name these; of any names if none is given."""

    def compiled(text: object, info: ValidationInfo) -> Expression:
        made = Expression(text)
        wrong = made.unknown_names(names) if names else []
        defined = (info.context or {}).get("lookups", ())
        wrong += [f"lookup {name} is not defined" for name in sorted(made.lookups - {*defined})]
        if wrong:
            raise ValueError("; ".join(wrong))
        return made

    return PlainValidator(compiled, json_schema_input_type=str)


OverRow = Annotated[Expression, _over(*ROW_NAMES)]
"""An expression over a row's step."""
OverEvent = Annotated[Expression, _over(*ROW_NAMES, "id")]
"""One that knows the event's `id` as well."""
OverItems = Annotated[Expression, _over(*ROW_NAMES, "id", "items")]
"""One that, in a rule that groups, has the `items` as well."""
OverAnything = Annotated[Expression, _over()]
"""An expression over a JSON value that stood somewhere."""

Names = Annotated[list[str], Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ChangedField(_Section):
    """A payload field that is written only if one of its columns provably changed."""

    field: str
    columns: Names
    value: OverEvent | None = None


class Rule(_Section):
    """One kind of event.

    Fires on a transition `on` a table whose name ends in one of `tables`, if one of the columns
    `changed` changed (where given), if one of `changes` has a value (where given), and if `when`
    is true (where given). `needs` names columns of the version before without which it cannot be
    told whether it fires. With `group` all rows of a transaction make one event: each gives its
    `item`, and `payload` has them as `items`.
    """

    type: str
    tables: Names
    on: Literal["create", "update", "delete"]
    id: OverRow | None = None
    changed: list[str] = []
    when: OverRow | None = None
    needs: list[str] = []
    payload: OverItems | None = None
    changes: list[ChangedField] = []
    project: OverEvent | None = None
    group: Literal["transaction"] | None = None
    item: OverEvent | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Rule:
        if self.group is None:
            wrong = _wrong(
                (self.id is None, "id is missing"),
                (self.item is not None, "item is there only with group"),
                (
                    self.payload is not None and "items" in self.payload.names,
                    "payload: items is there only with group",
                ),
            )
        else:
            wrong = _wrong(
                (self.item is None, "item is missing: with group each row gives one"),
                (self.payload is None, "payload is missing: with group it says where items go"),
                (bool(self.changes), "changes cannot stand beside group"),
                (
                    self.payload is not None and bool(self.payload.lookups),
                    "payload: with group a look-up belongs into item",
                ),
            )
        _refuse(wrong)
        return self

    @property
    def is_conditional(self) -> bool:
        """Whether it fires on some of the transitions only."""
        return bool(self.changed or self.changes or self.when is not None)


class ActorColumns(_Section):
    """Columns of the changed row by operation, in the order in which they are looked at."""

    create: list[str] = []
    update: list[str] = []
    delete: list[str] = []


class ActorSource(_Section):
    """A place where the actor of a change may stand: exactly one of four.

    `columns` of the row (one that the change did not touch says nothing of its actor, unless
    `trust_unchanged`), logical messages of the transaction by the prefix `message`, a `row` that
    the transaction wrote into one of these tables, a `header` of the change's own message.
    `value` says where in it; `template` turns a JSON object found there into the event's actor,
    `plain` any other value: both default to those of `[actor]`.
    """

    columns: ActorColumns | None = None
    message: Names | None = None
    row: Names | None = None
    header: Names | None = None
    value: OverAnything | None = None
    content: Literal["auto", "text", "base64", "base64url", "hex"] = "auto"
    trust_unchanged: bool = False
    template: OverAnything | None = None
    plain: OverAnything | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> ActorSource:
        kinds = [name for name in _KINDS if getattr(self, name) is not None]
        named = _KINDS.get(kinds[0] if len(kinds) == 1 else "", ())
        given = self.model_fields_set
        wrong = _wrong(
            (len(kinds) != 1, f"exactly one of {', '.join(_KINDS)} must be given"),
            ("content" in given and kinds != ["message"], "content is there only with message"),
            (
                "trust_unchanged" in given and kinds != ["columns"],
                "trust_unchanged is there only with columns",
            ),
            (kinds == ["row"] and self.value is None, "value is missing: which part of the row?"),
        )
        if self.value is not None and named:
            wrong += [f"value: {one}" for one in self.value.unknown_names(named)]
        _refuse(wrong)
        return self

    @property
    def kind(self) -> Literal["columns", "message", "row", "header"]:
        """Which of the four places it is."""
        if self.columns is not None:
            return "columns"
        return "message" if self.message else "row" if self.row else "header"


_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "columns": ROW_NAMES,
    "message": (),
    "row": CONTEXT_NAMES,
    "header": (),
}
"""The kinds of sources, with the names that their `value` may have; none: any."""


class ActorRules(_Section):
    """Where the actor of a change stands: the sources, in the order in which they are asked."""

    template: OverAnything | None = None
    plain: OverAnything | None = None
    source: list[ActorSource] = []

    @model_validator(mode="after")
    def _has_templates(self) -> ActorRules:
        lacking = [
            f"source {number}: template is missing, here and in [actor]"
            for number, source in enumerate(self.source, 1)
            if self.template is None and source.template is None
        ]
        _refuse(lacking)
        return self


class Lookup(_Section):
    """Rows of other tables, found by the value of one column, as of the time of a change."""

    tables: Names
    by: str


class TypeHints(_Section):
    """What columns of schemaless JSON hold: `decimal(2)`, `date`, `timestamp_us`, `json`, ..."""

    tables: Names
    columns: dict[str, Annotated[str, Field(pattern=_HINT)]]


def _a_placeholder(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    if text.startswith("hex:") and not bytes.fromhex(text.removeprefix("hex:")):
        raise ValueError("has no digits after hex:")
    return text


class Mapping(_Section):
    """A whole mapping file."""

    name: str
    unavailable_value: Annotated[str, AfterValidator(_a_placeholder)] = UNAVAILABLE
    actor: ActorRules
    lookup: dict[str, Lookup] = {}
    hints: list[TypeHints] = Field(default=[], alias="types")
    rule: Annotated[list[Rule], Field(min_length=1)]

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


def _wrong(*cases: tuple[bool, str]) -> list[str]:
    return [text for is_wrong, text in cases if is_wrong]


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise ValueError("; ".join(wrong))


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
