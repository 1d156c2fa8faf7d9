"""A JMESPath expression of a mapping: compiled once, and looked through for what it names."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

import jmespath

from cdc_archive.audit.evaluation import evaluation
from cdc_archive.audit.functions import arities

Path = tuple[str, ...]
"""The names on the way from what an expression is given: `row.id` is ("row", "id")."""

MISFITS: Final = (
    jmespath.exceptions.JMESPathError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What an evaluation raises if the values are not of the shape that the expression expects."""

_ARITIES: Final = arities()
Paths = frozenset[Path]

_ROOT: Final[Paths] = frozenset({()})
_ELSEWHERE: Final[Paths] = frozenset()
_ELEMENT: Final = "*"
_MOST_PATHS: Final = 1_000


class Expression:
    """A compiled expression.

    Args:
        text: JMESPath.

    Attributes:
        of: gives what the expression finds in a value; raises one of `MISFITS` if that is not of
            the shape that it expects.

    Raises:
        ValueError: it is none, calls an unknown function, or says what nobody means.
    """

    def __init__(self, text: object) -> None:
        if not isinstance(text, str):
            raise ValueError("not a JMESPath expression: it must be a text")  # noqa: TRY004
        try:
            tree = _parsed(text)
            _check(tree)
            found = _Found()
            found.walk(tree, _ROOT)
            self.of = evaluation(tree)
        except RecursionError:
            raise ValueError("not a JMESPath expression: nested too deep") from None
        except PendingDeprecationWarning:
            raise ValueError("what stands between backticks is JSON; a text is '...'") from None
        except (jmespath.exceptions.JMESPathError, TypeError, AttributeError) as error:
            raise ValueError(f"not a JMESPath expression: {error}") from None
        self.text = text
        self.paths = frozenset(found.paths)
        self.names = frozenset(path[0] for path in found.paths) - {_ELEMENT}
        self._choices = found.choices
        self._sees_all = found.all
        self.lookups = frozenset(_lookups(tree))

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def may_see(self, name: str) -> bool:
        """Whether its value may depend on this name of what it is given."""
        return self._sees_all or name in self.names

    def columns(self, *of: str) -> set[str]:
        """The columns that it reads of these names: `columns("row")` of `row.id` is {"id"}."""
        return _columns(self.paths, of)

    def missing(self, columns: Collection[str], *of: str) -> tuple[list[str], list[str]]:
        """Which of the columns that it reads are none of these.

        Returns:
            those that it cannot do without, and those beside which `a || b` has another that is
            there.
        """
        missing = self.columns(*of).difference(columns)
        spare = set()
        for branches in self._choices:
            lacking = [_columns(branch, of).difference(columns) for branch in branches]
            there = [bool(_columns(branch, of).intersection(columns)) for branch in branches]
            for number, names in enumerate(lacking):
                if any(there[:number] + there[number + 1 :]):
                    spare |= names
        return sorted(missing - spare), sorted(missing & spare)

    def unknown_names(self, known: Iterable[str]) -> list[str]:
        """What is wrong with the names that it begins with, in words."""
        known = list(known)
        return [f"{name} is unknown" + _near(name, known) for name in sorted(self.names - {*known})]


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("children", []):
        if isinstance(child, dict):
            yield from _nodes(child)


def _parsed(text: str) -> Any:
    """The tree of an expression. A literal that is no JSON is refused: JEP-12 took it away."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PendingDeprecationWarning)
        return jmespath.compile(text).parsed


def _check(tree: Any) -> None:
    for node in _nodes(tree):
        children = node.get("children", [])
        if node["type"] == "subexpression" and children[0]["type"] == "not_expression":
            raise ValueError("`!a.b` is read as `(!a).b`; write `!(a.b)`")
        if node["type"] == "function_expression":
            _check_call(node["value"], children)


def _check_call(name: str, arguments: list[Any]) -> None:
    if name not in _ARITIES:
        near = difflib.get_close_matches(name, _ARITIES, n=1)
        raise ValueError(f"{name}() is unknown" + (f"; did you mean {near[0]}()?" if near else ""))
    least, more = _ARITIES[name]
    if len(arguments) < least or (len(arguments) > least and not more):
        raise ValueError(f"{name}() takes {least} arguments, not {len(arguments)}")
    if name == "lookup" and not isinstance(_literal(arguments[0]), str):
        raise ValueError("lookup() takes the name of a look-up in single quotes")


def _literal(node: Any) -> Any:
    return node.get("value") if node["type"] == "literal" else None


def _lookups(tree: Any) -> Iterator[str]:
    for node in _nodes(tree):
        if node["type"] == "function_expression" and node["value"] == "lookup":
            yield _literal(node["children"][0])


class _Found:
    """Collects the paths that an expression reads, and for each `a || b` those of each side.

    `all` is whether it reads what it is given as a whole.
    """

    def __init__(self) -> None:
        self.all = False
        self.paths: list[Path] = []
        self.choices: list[list[list[Path]]] = []

    def walk(self, node: Any, at: Paths) -> Paths:
        """Collect from a node on, and give the paths at which its value stands."""
        kind, children = node["type"], node.get("children", [])
        if kind == "field":
            reached = frozenset((*path, node["value"]) for path in at)
            self.paths.extend(reached)
            return reached if len(reached) < _MOST_PATHS else _ELSEWHERE
        if kind in ("subexpression", "pipe", "index_expression"):
            for child in children:
                at = self.walk(child, at)
            return at
        if kind in ("projection", "value_projection", "filter_projection"):
            inside = _elements(self.walk(children[0], at))
            for child in children[2:]:
                self.walk(child, inside)
            return self.walk(children[1], inside)
        if kind in ("index", "flatten", "slice"):
            return _elements(self.walk(children[0], at) if kind == "flatten" else at)
        if kind in ("current", "identity"):
            self.all |= () in at
            return at
        if kind in ("or_expression", "and_expression"):
            return self._either(kind, children, at)
        for child in children:
            self.walk(child, _ELSEWHERE if kind == "expref" else at)
        return _ELSEWHERE

    def _either(self, kind: str, children: list[Any], at: Paths) -> Paths:
        reached, branches = _ELSEWHERE, []
        for child in children:
            before = len(self.paths)
            reached |= self.walk(child, at)
            branches.append(self.paths[before:])
        if kind == "or_expression":
            self.choices.append(branches)
        return reached


def _elements(paths: Paths) -> Paths:
    return frozenset((*path, _ELEMENT) for path in paths)


def _columns(paths: Iterable[Path], of: Collection[str]) -> set[str]:
    return {path[1] for path in paths if len(path) > 1 and path[0] in of} - {_ELEMENT}
