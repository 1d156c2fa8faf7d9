"""The functions of JMESPath that a mapping may call: the standard ones, `lookup` and `minus`."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from jmespath import exceptions
from jmespath.functions import Functions as Standard
from jmespath.functions import signature

from cdc_archive.audit.context import Context, NoContext
from cdc_archive.decode.images import Row, parsed
from cdc_archive.history.position import Change

_told: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
_text: Final = json.JSONEncoder(separators=(",", ":"), default=str, sort_keys=True).encode
"""A value as text that is equal for equal values."""

_ALLOWED: Final[dict[int, tuple[list[str], list[str]]]] = {}
"""By the identity of a list of types in a signature: these live as long as the program."""


class Functions(Standard):
    """The functions, as they answer for one change.

    Args:
        context: looks beside the change.
        change: the change; None where there is none to look beside: each look-up gives null.
    """

    def __init__(self, context: Context, change: Change | None) -> None:
        self._context = context
        self._change = change

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[str]]:
        """Asked for each argument of each call: remembered."""
        known = _ALLOWED.get(id(types))
        if known is None:
            known = _ALLOWED[id(types)] = super()._get_allowed_pytypes(types)  # type: ignore[misc]
        return known

    @signature({"types": ["string"]}, {"types": []})
    def _func_lookup(self, name: str, key: Any) -> Row | None:
        """The row of a look-up as it was when the change was made."""
        if key is None or self._change is None:
            return None
        return self._context.lookup(name, key, self._change)

    @signature({"types": []}, {"types": []})
    def _func_minus(self, one: Any, other: Any) -> list[Any]:
        """The elements of a list that another does not have."""
        without = {_text(value) for value in _elements(other)}
        return [value for value in _elements(one) if _text(value) not in without]

    @signature({"types": []})
    def _func_to_string(self, value: Any) -> str:
        """A number as it came: the standard function puts an exact fraction in quotes."""
        if isinstance(value, str):
            return value
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        return str(value) if is_number else _told(value)


NOTHING_BESIDE: Final = Functions(NoContext(), None)
"""For expressions over something else than a change."""


def arities() -> dict[str, tuple[int, bool]]:
    """Function name to the number of its arguments, and whether there may be more."""
    return {
        name: (len(spec["signature"]), bool(spec["signature"][-1:] and _variadic(spec)))
        for name, spec in Functions.FUNCTION_TABLE.items()
    }


def _variadic(spec: dict[str, Any]) -> bool:
    return bool(spec["signature"][-1].get("variadic"))


def _elements(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        value = parsed(value)
    if not isinstance(value, list):
        raise exceptions.JMESPathTypeError("minus", value, type(value).__name__, ["array"])
    return value
