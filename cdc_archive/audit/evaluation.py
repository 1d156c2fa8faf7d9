"""JMESPath's syntax tree as a chain of Python functions: a tenth of the interpreter's time.

The meaning is that of the jmespath library (tests hold them side by side); its parser makes the
tree, and its functions are called.
Source: the JMESPath specification, and `jmespath.visitor.TreeInterpreter`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any, Final

from jmespath.visitor import TreeInterpreter

from cdc_archive.audit.functions import Functions

Evaluate = Callable[[Any, Functions], Any]
"""Gives the value of an expression over a value."""

_IT: Final = {"type": "current", "children": []}
_COMPARE: Final = TreeInterpreter.COMPARATOR_FUNC


def evaluation(node: Any) -> Evaluate:
    """The function of a node of the tree.

    Raises:
        RecursionError: nested too deep.
    """
    return _BY_KIND[node["type"]](node)


def is_false(value: Any) -> bool:
    """JMESPath's idea of it: null, false and what is empty; zero is true."""
    return not value and (value is None or value is False or isinstance(value, str | list | dict))


class _Expression:
    """What `&a.b` hands to a function; the name is that which jmespath looks for."""

    def __init__(self, expression: Evaluate, functions: Functions) -> None:
        self.expression = expression
        self._functions = functions

    def visit(self, expression: Evaluate, value: Any) -> Any:
        return expression(value, self._functions)


def _children(node: Any) -> list[Evaluate]:
    return [evaluation(child) for child in node["children"]]


def _field(node: Any) -> Evaluate:
    name = node["value"]
    return lambda value, _: value.get(name) if isinstance(value, dict) else None


def _path(names: Sequence[str]) -> Evaluate:
    if len(names) == 2:  # noqa: PLR2004  # `row.id`: what expressions consist of
        return _column(*names)

    def of(value: Any, _: Functions) -> Any:
        for name in names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return of


def _column(row: str, name: str) -> Evaluate:
    def of(value: Any, _: Functions) -> Any:
        found = value.get(row) if isinstance(value, dict) else None
        return found.get(name) if isinstance(found, dict) else None

    return of


def _names(node: Any) -> list[str] | None:
    """The names of `a.b.c`; None if it is not only names."""
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] != "subexpression":
        return None
    parts = [_names(child) for child in node["children"]]
    return None if None in parts else [name for part in parts for name in part or ()]


def _sequence(node: Any) -> Evaluate:
    names = _names(node)
    if names is not None:
        return _path(names)
    steps = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        for step in steps:
            value = step(value, functions)
        return value

    return of


def _comparator(node: Any) -> Evaluate:
    left, right = _children(node)
    compare = _COMPARE[node["value"]]
    if node["value"] in ("eq", "ne"):
        return lambda value, functions: compare(left(value, functions), right(value, functions))

    def of(value: Any, functions: Functions) -> Any:
        one, other = left(value, functions), right(value, functions)
        return compare(one, other) if _has_order(one) and _has_order(other) else None

    return of


def _has_order(value: Any) -> bool:
    return isinstance(value, Number | str) and not isinstance(value, bool)


def _or(node: Any) -> Evaluate:
    left, right = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        found = left(value, functions)
        return found if found or not is_false(found) else right(value, functions)

    return of


def _and(node: Any) -> Evaluate:
    first, second = node["children"]
    if second["type"] == "function_expression" and repr(second["children"]) == repr([first]):
        # `row.id && to_string(row.id)`, what every event has: looked up once. 1 == True, so repr.
        second = {**second, "children": [_IT]}
        left, call = evaluation(first), evaluation(second)

        def told(value: Any, functions: Functions) -> Any:
            found = left(value, functions)
            return call(found, functions) if found or not is_false(found) else found

        return told
    left, right = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        found = left(value, functions)
        return right(value, functions) if found or not is_false(found) else found

    return of


def _not(node: Any) -> Evaluate:
    (inner,) = _children(node)
    return lambda value, functions: is_false(inner(value, functions))


def _select_dict(node: Any) -> Evaluate:
    members = [(pair["value"], evaluation(pair["children"][0])) for pair in node["children"]]

    def of(value: Any, functions: Functions) -> Any:
        if value is None:
            return None
        return {name: member(value, functions) for name, member in members}

    return of


def _select_list(node: Any) -> Evaluate:
    members = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        return None if value is None else [member(value, functions) for member in members]

    return of


def _projection(node: Any) -> Evaluate:
    base, each = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        found = base(value, functions)
        return _each(found, each, functions) if isinstance(found, list) else None

    return of


def _value_projection(node: Any) -> Evaluate:
    base, each = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        found = base(value, functions)
        return _each(found.values(), each, functions) if isinstance(found, dict) else None

    return of


def _filter_projection(node: Any) -> Evaluate:
    base, each, condition = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        found = base(value, functions)
        if not isinstance(found, list):
            return None
        kept = [one for one in found if not is_false(condition(one, functions))]
        return _each(kept, each, functions)

    return of


def _each(elements: Any, each: Evaluate, functions: Functions) -> list[Any]:
    values = (each(one, functions) for one in elements)
    return [value for value in values if value is not None]


def _flatten(node: Any) -> Evaluate:
    (base,) = _children(node)

    def of(value: Any, functions: Functions) -> Any:
        found = base(value, functions)
        if not isinstance(found, list):
            return None
        lists = (one if isinstance(one, list) else [one] for one in found)
        return [element for one in lists for element in one]

    return of


def _index(node: Any) -> Evaluate:
    index = node["value"]

    def of(value: Any, _: Functions) -> Any:
        if not isinstance(value, list):
            return None
        return value[index] if -len(value) <= index < len(value) else None

    return of


def _slice(node: Any) -> Evaluate:
    part = slice(*node["children"])
    return lambda value, _: value[part] if isinstance(value, list) else None


def _literal(node: Any) -> Evaluate:
    literal = node["value"]
    return lambda _, __: literal


def _current(_: Any) -> Evaluate:
    return lambda value, _: value


def _reference(node: Any) -> Evaluate:
    (inner,) = _children(node)
    return lambda _, functions: _Expression(inner, functions)


def _call(node: Any) -> Evaluate:
    name, arguments = node["value"], _children(node)
    spec = Functions.FUNCTION_TABLE.get(name, {"signature": ()})
    if len(spec["signature"]) != len(arguments):
        return lambda value, functions: functions.call_function(
            name, [argument(value, functions) for argument in arguments]
        )
    function, taken = spec["function"], [_fitting(one["types"]) for one in spec["signature"]]
    if len(arguments) == 1:  # to_string(row.id): what every event has
        return _call_of_one(name, function, arguments[0], taken[0])

    def of(value: Any, functions: Functions) -> Any:
        given = [argument(value, functions) for argument in arguments]
        for one, types in zip(given, taken, strict=True):
            if types is not None and type(one) not in types:
                return functions.call_function(name, given)
        return function(functions, *given)

    return of


def _call_of_one(
    name: str, function: Callable[..., Any], argument: Evaluate, types: _Types
) -> Evaluate:
    def of(value: Any, functions: Functions) -> Any:
        given = argument(value, functions)
        if types is not None and type(given) not in types:
            return functions.call_function(name, [given])
        return function(functions, given)

    return of


_Types = frozenset[type] | None
"""Types of which every value is taken, without a look at it; None: any."""
_FITTING: Final = {"string": str, "array": list, "object": dict, "boolean": bool}


def _fitting(declared: Sequence[str]) -> _Types:
    """Of the types that a signature declares: others the library has to look at."""
    fitting = frozenset(_FITTING[name] for name in declared if name in _FITTING)
    return fitting if declared else None


_BY_KIND: Final[dict[str, Callable[[Any], Evaluate]]] = {
    "field": _field,
    "subexpression": _sequence,
    "index_expression": _sequence,
    "pipe": _sequence,
    "comparator": _comparator,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "multi_select_dict": _select_dict,
    "multi_select_list": _select_list,
    "projection": _projection,
    "value_projection": _value_projection,
    "filter_projection": _filter_projection,
    "flatten": _flatten,
    "index": _index,
    "slice": _slice,
    "literal": _literal,
    "current": _current,
    "identity": _current,
    "expref": _reference,
    "function_expression": _call,
}
