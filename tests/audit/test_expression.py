"""An expression is refused if it cannot mean anything, and tells what it reads."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import jmespath
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.memory_context import MemoryContext
from support.transitions import transition

from cdc_archive.audit import mapping
from cdc_archive.audit.expression import MISFITS, Expression
from cdc_archive.audit.functions import Functions
from cdc_archive.decode.images import Row
from cdc_archive.history.position import Change


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("row.", "not a JMESPath expression"),
        (7, "it must be a text"),
        ("!before.a", "write `!(a.b)`"),
        ("a || !b.c", "write `!(a.b)`"),
        ("lenght(row)", "lenght() is unknown; did you mean length()?"),
        ("minus(row.a)", "minus() takes 2 arguments, not 1"),
        ("not_null()", "not_null() takes 1 arguments, not 0"),
        ("row.a == `active`", "what stands between backticks is JSON; a text is '...'"),
        ("lookup(row.table, row.id)", "the name of a look-up in single quotes"),
        ("(" * 5000 + "a" + ")" * 5000, "nested too deep"),
    ],
)
def test_what_cannot_mean_anything_is_refused(text: object, says: str) -> None:
    """When the mapping is read, not when a row comes."""
    with pytest.raises(ValueError, match=re.escape(says)):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("row.id || before.id", {"id"}),
        ("(row || before).id", {"id"}),
        ("row.a.b[0].c", {"a"}),
        ("{x: row.a, y: [before.b]}", {"a", "b"}),
        ("row.list[?price > `1`].name", {"list"}),
        ("row.list[?@ == 'x'] | [0]", {"list"}),
        ("join(',', row.ids) == before.old", {"ids", "old"}),
        ("row | a", {"a"}),
        ("sort_by(row.items, &price)", {"items"}),
        ("lookup('p', row.pid).name", {"pid"}),
        ("row.*", set()),
        ("length(row)", set()),
        ('row."odd name"', {"odd name"}),
        ("changed.x && key.y", set()),
    ],
)
def test_the_columns_that_an_expression_reads_are_known(text: str, columns: set[str]) -> None:
    """Whatever it does with them."""
    assert Expression(text).columns("row", "before") == columns


@pytest.mark.parametrize(
    ("text", "missing", "spare"),
    [
        ("row.a && row.x", ["x"], []),
        ("row.a || row.x", [], ["x"]),
        ("row.x || row.y || row.a", [], ["x", "y"]),
        ("row.x || row.y", ["x", "y"], []),
        ("row.x || 'none'", ["x"], []),
        ("(row.a && !(before.a)) || (row.x && !(before.x))", [], ["x"]),
        ("{a: row.a, x: row.x}", ["x"], []),
        ("row.x && (row.a || row.x)", [], ["x"]),
        ("key.x", [], []),
    ],
)
def test_a_missing_column_is_told_from_an_alternative(
    text: str, missing: list[str], spare: list[str]
) -> None:
    """Beside one that is there."""
    assert Expression(text).missing({"a", "b"}, "row", "before") == (missing, spare)


def test_many_alternatives_are_looked_through_in_time() -> None:
    """Each step could stand at twice as many places as the one before."""
    text = " | ".join(["(a || b)"] * 200)
    assert Expression(text).names == {"a", "b"}


RULES = mapping.parse(
    'name = "m"\n[actor]\n[lookup.p]\ntables = ["p"]\nby = "id"\n'
    '[[rule]]\ntype = "x"\ntables = ["t"]\non = "create"\nid = "row.id"\n',
    "m.toml",
)


def value(text: str, row: dict[str, Any]) -> Any:
    step = transition("create", None, {"id": 1})
    context = MemoryContext(RULES, rows={"p": {"p1": {"id": "p1", "name": "One"}}})
    return Expression(text).of({"row": row}, Functions(context, step.change))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lookup('p', row.p).name", "One"),
        ("lookup('p', 'p2').name", None),
        ("lookup('p', row.none)", None),
        ("minus(row.a, row.b)", [1, 2]),
        ("minus(row.b, row.a)", []),
        ("minus(row.a, row.none)", [1, 2, 3]),
        ("minus(row.none, row.a)", []),
        ("minus(row.text, row.b)", [1]),
        ("to_string(row.exact)", "51.690"),
        ("to_string(row.a)", "[1,2,3]"),
        ("to_string(`7`)", "7"),
        ("to_string(`true`)", "true"),
        ("to_string({b: row.p, a: `1`})", '{"b":"p1","a":1}'),
        ("to_string(row.big)", "9" * 5000),
    ],
)
def test_functions_of_a_mapping(text: str, found: Any) -> None:
    """Null where there is nothing to look up; lists that are JSON text; exact numbers."""
    row = {"p": "p1", "a": [1, 2, 3], "b": [3], "text": "[1, 3]", "exact": Decimal("51.690")}
    row["big"] = Decimal("9" * 5000)
    assert value(text, row) == found


@pytest.mark.parametrize("other", ["no list", {"a": 1}, 7])
def test_a_difference_of_what_is_no_list_is_a_misfit(other: Any) -> None:
    """It is counted as not proven, not taken for nothing."""
    with pytest.raises(MISFITS):
        value("minus(row.a, row.b)", {"a": [1], "b": other})


names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An expression around others."""
    two = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, names).map(lambda t: f"({t[0]}).{t[1]}"),
        two.map(lambda t: f"({t[0]}) | ({t[1]})"),
        two.map(lambda t: f"({t[0]} || {t[1]})"),
        two.map(lambda t: f"({t[0]} && {t[1]})"),
        st.tuples(inner, st.sampled_from(["==", "!=", "<", ">="]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda one: f"(`1` && !({one}))"),
        two.map(lambda t: f"{{a: {t[0]}, b: {t[1]}}}"),
        two.map(lambda t: f"[{t[0]}, {t[1]}]"),
        st.tuples(inner, st.sampled_from(["[*]", "[]", "[0]", "[-2]", "[::-1]", ".*"])).map(
            lambda t: f"({t[0]}){t[1]}"
        ),
        two.map(lambda t: f"({t[0]})[?{t[1]}]"),
        two.map(lambda t: f"({t[0]})[*].[{t[1]}]"),
        inner.map(lambda one: f"type({one})"),
        two.map(lambda t: f"not_null({t[0]}, {t[1]})"),
        two.map(lambda t: f"sort_by({t[0]}, &({t[1]}))"),
        two.map(lambda t: f"map(&({t[0]}), {t[1]})"),
        inner.map(lambda one: f"length({one})"),
        inner.map(lambda one: f"({one} && to_array({one}))"),
        two.map(lambda t: f"contains({t[0]}, {t[1]})"),
        two.map(lambda t: f"join({t[0]}, {t[1]})"),
        inner.map(lambda one: f"keys({one})"),
        inner.map(lambda one: f"abs({one})"),
    )


expressions = st.recursive(
    names | st.sampled_from(["@", "`0`", "`1`", "`true`", "`null`", "''", "'a'", "a.b.c", "`[]`"]),
    longer,
    max_leaves=8,
)


@given(expressions, values)
def test_an_expression_means_what_it_means_to_jmespath(text: str, value: Any) -> None:
    """The same value, or a misfit in both."""
    try:
        expected = jmespath.search(text, value)
    except MISFITS as error:
        with pytest.raises(type(error)):
            Expression(text).of(value)
        return
    found = Expression(text).of(value)
    assert json.dumps(found) == json.dumps(expected)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a && b.c, b.c]", {"a": None, "b": {"c": 1}}),
        ("[a || b.c, b.c]", {"a": True, "b": {"c": 1}}),
        ("[(a || b.c) && b.d, b.d]", {"a": None, "b": {"c": 0, "d": 1}}),
        ("[a == `1`, a == `true`, `1` == a, `true` == a]", {"a": 1}),
        ("[a == '1', a != '1', '1' == a, '1' != a]", {"a": "1"}),
        ("{a: a, a: b}", {"a": 1, "b": None}),
    ],
)
def test_what_stands_twice_is_known_only_where_it_was_evaluated(text: str, value: Any) -> None:
    """Not beside a branch that was not taken; and 1 is not true."""
    assert json.dumps(Expression(text).of(value)) == json.dumps(jmespath.search(text, value))


def test_what_stands_twice_is_evaluated_once() -> None:
    """A look-up asks the archive."""

    class Counting(MemoryContext):
        asked = 0

        def lookup(self, name: str, key: Any, change: Change) -> Row | None:
            self.asked += 1
            return super().lookup(name, key, change)

    context = Counting(RULES, rows={"p": {"p1": {"id": "p1", "name": "One"}}})
    functions = Functions(context, transition("create", None, {"id": 1}).change)
    twice = Expression("{a: lookup('p', row.p).name, b: lookup('p', row.p) | id}")
    assert twice.of({"row": {"p": "p1"}}, functions) == {"a": "One", "b": "p1"}
    assert context.asked == 1


@pytest.mark.parametrize("levels", [39, 40, 41, 110])
def test_an_expression_may_nest_deeper_than_a_function_of_python(levels: int) -> None:
    """Which takes a hundred blocks within each other, and twenty loops."""
    alternatives = "a || (b && (" * (levels // 2) + "c" + "))" * (levels // 2)
    assert Expression(alternatives).of({"b": True, "c": 7}) == 7
    value: Any = 7
    for _ in range(levels // 2):
        value = [value]
    inner = "[*]" * (levels // 2)
    assert Expression(f"a{inner}").of({"a": value}) == jmespath.search(f"a{inner}", {"a": value})


@pytest.mark.parametrize(
    "name", ["it's", '"', "a\\", "a\nb", "{0}", "\udc00", "') or print('", "𝔘", "#"]
)
def test_a_name_is_never_taken_for_source(name: str) -> None:
    """Expressions become Python."""
    quoted = json.dumps(name)
    expression = Expression(f"{{{quoted}: {quoted}, literal: `{quoted}`}}")
    assert expression.of({name: 7}) == {name: 7, "literal": name}


@given(expressions, st.dictionaries(names, values), names)
def test_what_an_expression_does_not_see_does_not_matter(
    text: str, value: dict[str, Any], name: str
) -> None:
    """Without the name it gives the same value, or the same misfit."""
    expression = Expression(text)
    assume(not expression.may_see(name))
    without = {other: one for other, one in value.items() if other != name}
    assert outcome(expression, value) == outcome(expression, without)


def outcome(expression: Expression, value: Any) -> Any:
    try:
        return json.dumps(expression.of(value))
    except MISFITS as error:
        return type(error)


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        ("changed.a", True),
        ("keys(changed)", True),
        ("row.a || changed", True),
        ("keys(@)", True),
        ("*.a", True),
        ("values(@)[?a]", True),
        ("row.changed", False),
        ("row.a && to_string(row.a)", False),
        ("row | keys(@)", False),
        ("map(&changed, row.list)", False),
        ("row.list[?changed]", False),
    ],
)
def test_what_an_expression_may_see_is_known(text: str, sees: bool) -> None:
    """By name, or with all that it is given."""
    assert Expression(text).may_see("changed") is sees
