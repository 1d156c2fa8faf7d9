"""The part of a mapping file that says where the actor of a change stands."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import ConfigDict, model_validator

from cdc_archive.audit.content import Form
from cdc_archive.audit.sections import (
    CONTEXT_NAMES,
    ROW_NAMES,
    Names,
    OverAnything,
    Section,
    refuse,
    wrong,
)

Kind = Literal["columns", "message", "row", "header"]

_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "columns": ROW_NAMES,
    "message": (),
    "row": CONTEXT_NAMES,
    "header": (),
}
"""The kinds of sources, with the names that their `value` may have; none: any."""


class ActorColumns(Section):
    """Columns of the changed row by operation, in the order in which they are looked at."""

    create: tuple[str, ...] = ()
    """Columns that a created row names its actor in."""
    update: tuple[str, ...] = ()
    """Columns that an updated row names its actor in; a soft deletion is an update."""
    delete: tuple[str, ...] = ()
    """Columns that a deleted row names its actor in: what they hold is an earlier change's."""


class ActorSource(Section):
    """A place where the actor of a change may stand: columns, a message, a row or a header."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in _KINDS]},
    )

    columns: ActorColumns | None = None
    """Columns of the changed row. One that the change did not touch says nothing of its actor."""
    message: Names | None = None
    """Prefixes (wildcards) of logical decoding messages of the same transaction."""
    row: Names | None = None
    """Tables (wildcards) into which the same transaction wrote a row about itself."""
    header: Names | None = None
    """Headers of the change's own message; the first that is there."""
    value: OverAnything | None = None
    """JMESPath: where in it the actor stands. With columns: what is taken if one was touched."""
    content: Form = "auto"
    """With message: the form of its content."""
    trust_unchanged: bool = False
    """With columns: take an actor that the change did not touch, marked as unverified."""
    template: OverAnything | None = None
    """JMESPath: turns a JSON object into the event's actor; default: that of [actor]."""
    plain: OverAnything | None = None
    """JMESPath: turns any other value into the event's actor; default: that of [actor]."""

    @model_validator(mode="after")
    def _fits_together(self) -> ActorSource:
        kinds = [name for name in _KINDS if getattr(self, name) is not None]
        named = _KINDS.get(kinds[0] if len(kinds) == 1 else "", ())
        given = self.model_fields_set
        faults = wrong(
            (len(kinds) != 1, f"exactly one of {', '.join(_KINDS)} must be given"),
            ("content" in given and kinds != ["message"], "content is there only with message"),
            (
                "trust_unchanged" in given and kinds != ["columns"],
                "trust_unchanged is there only with columns",
            ),
            (kinds == ["row"] and self.value is None, "value is missing: which part of the row?"),
        )
        if self.value is not None and named:
            faults += [f"value: {one}" for one in self.value.unknown_names(named)]
        if self.value is not None and self.value.lookups and kinds in (["message"], ["row"]):
            faults.append("value: a look-up belongs into template or plain")
        refuse(faults)
        return self

    @property
    def kind(self) -> Kind:
        """Which of the four places it is."""
        if self.columns is not None:
            return "columns"
        return "message" if self.message else "row" if self.row else "header"


class ActorRules(Section):
    """Where the actor of a change stands."""

    template: OverAnything | None = None
    """JMESPath: turns a JSON object that stood in a source into the event's actor."""
    plain: OverAnything | None = None
    """JMESPath: turns any other value (a user's id) into the event's actor."""
    source: tuple[ActorSource, ...] = ()
    """The sources, in the order in which they are asked; the first that names an actor decides."""

    @model_validator(mode="after")
    def _has_templates(self) -> ActorRules:
        refuse(
            [
                f"source {number}: template is missing, here and in [actor]"
                for number, source in enumerate(self.source, 1)
                if self.template is None and source.template is None
            ]
        )
        return self
