"""JMESPath's syntax tree as Python: each expression becomes the source of a function, compiled.

The meaning is that of the jmespath library (tests hold them side by side); its parser makes the
tree, and its functions are called. What stands twice in an expression is evaluated once.
Source: the JMESPath specification, and `jmespath.visitor.TreeInterpreter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Number
from typing import Any, Final, Protocol

from jmespath.visitor import TreeInterpreter

from cdc_archive.audit.functions import NOTHING_BESIDE, Functions

_DEEPEST: Final = 40
"""Blocks within blocks; Python takes no more than 100."""


class Evaluate(Protocol):
    """An expression as a function."""

    def __call__(self, value: Any, functions: Functions = NOTHING_BESIDE, /) -> Any:
        """What the expression finds in a value."""
        ...


def evaluation(tree: Any) -> Evaluate:
    """The function of a tree.

    Raises:
        RecursionError: nested too deep.
    """
    module = _Module()
    name = module.function(tree)
    # Of the text of a mapping there is nothing in the source but names, as literals by `repr`.
    exec(compile("\n".join(module.lines), "<JMESPath>", "exec"), module.objects)  # noqa: S102
    found: Evaluate = module.objects[name]
    return found


def is_false(value: Any) -> bool:
    """JMESPath's idea of it: null, false and what is empty; zero is true."""
    return not value and (value is None or value is False or isinstance(value, str | list | dict))


class _Module:
    """Functions while they are written: `lines` of source, and the `objects` that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, Any] = dict(_NAMED)

    def object(self, one: Any) -> str:
        """A name for an object."""
        name = f"o{len(self.objects)}"
        self.objects[name] = one
        return name

    def function(self, node: Any) -> str:
        """Write the function of a node, and give its name."""
        body = _Body(self)
        result, name = body.value(node, "value"), self.object(None)
        head = f"def {name}(value, functions=nothing_beside):"
        self.lines += [head, *body.lines, f" return {result}"]
        return name


class _Body:
    """A function's body while it is written: each value that is evaluated has a name of its own."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self._depth = 1
        self._names = 0
        self._known: dict[tuple[str, str], str] = {}

    def value(self, node: Any, given: str) -> str:
        """Write what evaluates a node over the value named `given`, and give the result's name."""
        what = given, repr(node)  # 1 == True, so repr
        if what not in self._known:
            if self._depth < _DEEPEST:
                self._known[what] = _WRITERS[node["type"]](self, node, given)
            else:
                self._known[what] = self.named(f"{self.module.function(node)}({given}, functions)")
        return self._known[what]

    def values(self, nodes: Iterable[Any], given: str) -> list[str]:
        """The same of several."""
        return [self.value(node, given) for node in nodes]

    def named(self, source: str) -> str:
        """Write that the value of an expression of Python has a name from here on."""
        self._names += 1
        self.line(f"v{self._names} = {source}")
        return f"v{self._names}"

    def line(self, source: str) -> None:
        """Write a line."""
        self.lines.append(" " * self._depth + source)

    @contextmanager
    def only_if(self, condition: str) -> Iterator[None]:
        """What is written within is done only then, and not known afterwards."""
        self.line(f"if {condition}:")
        known, self._known = self._known, dict(self._known)
        self._depth += 1
        yield
        self._depth -= 1
        self._known = known


def _field(body: _Body, node: Any, given: str) -> str:
    return body.named(f"{given}.get({node['value']!r}) if isinstance({given}, dict) else None")


def _sequence(body: _Body, node: Any, given: str) -> str:
    for child in node["children"]:
        given = body.value(child, given)
    return given


def _comparator(body: _Body, node: Any, given: str) -> str:
    kind, compare = node["value"], body.module.object(_COMPARE[node["value"]])
    left, right = body.values(node["children"], given)
    if kind not in ("eq", "ne"):
        ordered = f"has_order({left}) and has_order({right})"
        return body.named(f"{compare}({left}, {right}) if {ordered} else None")
    if any(
        child["type"] == "literal" and type(child["value"]) is str for child in node["children"]
    ):
        return body.named(f"{left} {'==' if kind == 'eq' else '!='} {right}")
    return body.named(f"{compare}({left}, {right})")  # which tells 1 from true


def _has_order(value: Any) -> bool:
    return isinstance(value, Number | str) and not isinstance(value, bool)


def _or(body: _Body, node: Any, given: str) -> str:
    first, second = node["children"]
    found = body.named(body.value(first, given))
    with body.only_if(f"not {found} and is_false({found})"):
        body.line(f"{found} = {body.value(second, given)}")
    return found


def _and(body: _Body, node: Any, given: str) -> str:
    first, second = node["children"]
    found = body.named(body.value(first, given))
    with body.only_if(f"{found} or not is_false({found})"):
        body.line(f"{found} = {body.value(second, given)}")
    return found


def _not(body: _Body, node: Any, given: str) -> str:
    (inner,) = body.values(node["children"], given)
    return body.named(f"not {inner} and is_false({inner})")


def _select_dict(body: _Body, node: Any, given: str) -> str:
    found = body.named("None")
    with body.only_if(f"{given} is not None"):
        pairs = node["children"]
        members = [f"{one['value']!r}: {body.value(one['children'][0], given)}" for one in pairs]
        body.line(f"{found} = {{{', '.join(members)}}}")
    return found


def _select_list(body: _Body, node: Any, given: str) -> str:
    found = body.named("None")
    with body.only_if(f"{given} is not None"):
        body.line(f"{found} = [{', '.join(body.values(node['children'], given))}]")
    return found


def _projection(body: _Body, node: Any, given: str) -> str:
    base, each = node["children"]
    found, of_one = body.value(base, given), body.module.function(each)
    told = f"each({found}, {of_one}, functions)"
    return body.named(f"{told} if isinstance({found}, list) else None")


def _value_projection(body: _Body, node: Any, given: str) -> str:
    base, each = node["children"]
    found, of_one = body.value(base, given), body.module.function(each)
    told = f"each({found}.values(), {of_one}, functions)"
    return body.named(f"{told} if isinstance({found}, dict) else None")


def _filter_projection(body: _Body, node: Any, given: str) -> str:
    base, each, condition = node["children"]
    found = body.value(base, given)
    of_one, holds = body.module.function(each), body.module.function(condition)
    kept = f"[one for one in {found} if not is_false({holds}(one, functions))]"
    return body.named(f"each({kept}, {of_one}, functions) if isinstance({found}, list) else None")


def _each(elements: Iterable[Any], of_one: Evaluate, functions: Functions) -> list[Any]:
    values = (of_one(one, functions) for one in elements)
    return [value for value in values if value is not None]


def _flatten(body: _Body, node: Any, given: str) -> str:
    (found,) = body.values(node["children"], given)
    return body.named(f"flat({found}) if isinstance({found}, list) else None")


def _flat(found: Iterable[Any]) -> list[Any]:
    lists = (one if isinstance(one, list) else [one] for one in found)
    return [element for one in lists for element in one]


def _index(body: _Body, node: Any, given: str) -> str:
    index = body.module.object(node["value"])
    there = f"isinstance({given}, list) and -len({given}) <= {index} < len({given})"
    return body.named(f"{given}[{index}] if {there} else None")


def _slice(body: _Body, node: Any, given: str) -> str:
    part = body.module.object(slice(*node["children"]))
    return body.named(f"{given}[{part}] if isinstance({given}, list) else None")


def _literal(body: _Body, node: Any, _: str) -> str:
    return body.module.object(node["value"])


def _current(_: _Body, __: Any, given: str) -> str:
    return given


class _Expression:
    """What `&a.b` hands to a function; the name is that which jmespath looks for."""

    def __init__(self, expression: Evaluate, functions: Functions) -> None:
        self.expression = expression
        self._functions = functions

    def visit(self, expression: Evaluate, value: Any) -> Any:
        return expression(value, self._functions)


def _reference(body: _Body, node: Any, _: str) -> str:
    (inner,) = node["children"]
    return body.named(f"expression({body.module.function(inner)}, functions)")


def _call(body: _Body, node: Any, given: str) -> str:
    name, arguments = node["value"], body.values(node["children"], given)
    spec, listed = Functions.FUNCTION_TABLE.get(name, {"signature": ()}), ", ".join(arguments)
    asked = f"functions.call_function({name!r}, [{listed}])"  # looks at each argument's type
    if len(spec["signature"]) != len(arguments):
        return body.named(asked)
    function, taken = body.module.object(spec["function"]), []
    for argument, one in zip(arguments, spec["signature"], strict=True):
        if one["types"]:
            taken.append(f"type({argument}) in {body.module.object(_fitting(one['types']))}")
    called = f"{function}(functions, {listed})"
    return body.named(f"{called} if {' and '.join(taken)} else {asked}" if taken else called)


_FITTING: Final = {"string": str, "array": list, "object": dict, "boolean": bool}


def _fitting(declared: Sequence[str]) -> frozenset[type]:
    """Of the types that a signature declares, those of which every value is taken."""
    return frozenset(_FITTING[name] for name in declared if name in _FITTING)


_COMPARE: Final = TreeInterpreter.COMPARATOR_FUNC
_NAMED: Final = {
    "each": _each,
    "expression": _Expression,
    "flat": _flat,
    "has_order": _has_order,
    "is_false": is_false,
    "nothing_beside": NOTHING_BESIDE,
}
"""What the source of any expression may name."""

_WRITERS: Final[dict[str, Callable[[_Body, Any, str], str]]] = {
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
