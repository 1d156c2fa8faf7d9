"""What the sections of a mapping file are made of: strict keys, names, compiled expressions."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo

from cdc_archive.audit.expression import Expression

ROW_NAMES: Final = ("op", "table", "key", "before", "after", "row", "changed")
"""What an expression over a row's step may name."""
CONTEXT_NAMES: Final = ("row", "op", "table")
"""What an expression over a row of a context table may name."""


_known: Final = lru_cache(maxsize=1024)(Expression)
"""Rules have expressions in common: each text is compiled once."""


class Section(BaseModel):
    """A table of the file. An unknown key is a fault; editors show the docstrings of the keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


def _over(*names: str) -> PlainValidator:
    """Compiles an expression that may name these; of any names if none is given."""

    def compiled(text: object, info: ValidationInfo) -> Expression:
        made = _known(text) if isinstance(text, str) else Expression(text)
        wrong = made.unknown_names(names) if names else []
        defined = (info.context or {}).get("lookups", ())
        wrong += [f"lookup {name} is not defined" for name in sorted(made.lookups - {*defined})]
        refuse(wrong)
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
"""At least one name."""


def wrong(*cases: tuple[bool, str]) -> list[str]:
    """The texts of the cases that are so."""
    return [text for is_wrong, text in cases if is_wrong]


def refuse(faults: list[str]) -> None:
    """Raise what pydantic takes for a fault of the section, if there is any."""
    if faults:
        raise ValueError("; ".join(faults))
