"""What stands beside a change: who made it, told anywhere in its transaction; rows of its time."""

from __future__ import annotations

import pytest
from support.runs import DAY_US, NOON_US, RULES, SECOND_US, Database, archived, order, replay

USER = ("c", "user", None, {"id": 1, "name": "a", "team": 7})
MESSAGE = ("m", "who", None, {"who": "ann"})
CONTEXT = ("c", "context", None, {"id": 1, "who": "ann"})


@pytest.mark.parametrize("told", [MESSAGE, CONTEXT])
@pytest.mark.parametrize("first", [True, False])
def test_an_actor_is_found_before_and_after_the_row(told: tuple, *, first: bool) -> None:
    """In the same transaction, on another topic, in a file that is read later or earlier."""
    database = Database()
    database.commit(NOON_US, *((told, USER) if first else (USER, told)))
    database.commit(NOON_US + 1, ("u", "user", None, {"id": 1, "name": "b", "team": 7}))
    assert replay(order(archived(database.log))).actors == ["ann", None]


@pytest.mark.parametrize("told", [MESSAGE, CONTEXT])
def test_what_came_twice_is_one_testimony(told: tuple) -> None:
    """A restart of the connector sends it again."""
    database = Database()
    database.again(database.commit(NOON_US, told, USER))
    outcome = replay(order(archived(database.log)))
    assert outcome.actors == ["ann"]
    assert outcome.report.redeliveries == 1


@pytest.mark.parametrize(("later", "actors"), [(60 * SECOND_US, ["ann"]), (DAY_US, [None])])
def test_a_transaction_number_that_comes_again_after_a_day_is_another_one(
    later: int, actors: list
) -> None:
    """PostgreSQL counts them in 32 bits, and a restored database begins lower."""
    database = Database()
    database.commit(NOON_US, MESSAGE, tx=4)
    database.commit(NOON_US + later, USER, tx=4)
    assert replay(order(archived(database.log))).actors == actors


def test_the_same_number_in_another_database_is_another_transaction() -> None:
    """Numbers of two connectors have nothing to do with each other."""
    one, other = Database("pg"), Database("other")
    one.commit(NOON_US, MESSAGE, tx=4)
    other.commit(NOON_US, USER, tx=4)
    assert replay(order(archived([*one.log, *other.log]))).actors == [None]


@pytest.mark.parametrize("window", [(0, SECOND_US), (SECOND_US, None)])
def test_a_window_cuts_no_transaction_from_its_actor(window: tuple) -> None:
    """The message's clock is a little before the row's, on the other side of the edge."""
    database = Database()
    (message,) = database.commit(NOON_US + SECOND_US - 1, MESSAGE, tx=4)
    database.commit(NOON_US + SECOND_US, USER, tx=4)
    database.commit(NOON_US, ("c", "user", None, {"id": 2}), tx=4)
    edges = (None if edge is None else NOON_US + edge for edge in window)
    assert replay(order(archived(database.log), *edges)).actors == ["ann"]
    assert message.topic == "pg.app.who"


def teams(*payloads: dict) -> list:
    return [payload.get("team") for payload in payloads]


def member(number: int) -> tuple:
    return ("c", "user", None, {"id": number, "team": 7})


def team(op: str, name: str, *, id: int = 7, was: int = 7) -> tuple:  # noqa: A002
    return (op, "team", None if op == "c" else {"id": was}, {"id": id, "name": name})


@pytest.mark.parametrize("positions", [True, False])
def test_a_row_is_looked_up_as_of_the_change(*, positions: bool) -> None:
    """Not as it is at the end; also by time alone, of a connector that tells no positions."""
    database = Database(positions=positions)
    database.commit(NOON_US, member(1))
    database.commit(NOON_US + 1, team("c", "old"))
    database.commit(NOON_US + 2, member(2))
    database.commit(NOON_US + 3, team("u", "new"))
    database.commit(NOON_US + 4, member(3))
    told = replay(order(archived(database.log))).payloads
    assert teams(*told) == [None, "old", "new"]


def test_a_rename_in_the_same_transaction_counts_from_there_on() -> None:
    """Before it the old name, after it the new one."""
    database = Database()
    database.commit(NOON_US, team("c", "old"))
    database.commit(NOON_US + 1, member(1), team("u", "new"), member(2))
    assert teams(*replay(order(archived(database.log))).payloads) == ["old", "new"]


def test_a_row_is_found_by_the_value_that_it_has() -> None:
    """A team that became another one is there no more; one that is deleted, to the very end."""
    database = Database()
    rules = RULES.replace('by = "id"', 'by = "code"')
    rules = rules.replace("lookup('teams', row.team)", "lookup('teams', row.code)")
    one, two = ({"id": n, "code": code, "name": code * 2} for n, code in enumerate("xy"))
    for at, steps in enumerate(
        (
            [("c", "team", None, one), ("c", "team", None, two)],
            [("u", "team", None, one | {"code": "z"})],
            [("d", "team", {"id": two["id"]}, None)],
        )
    ):
        users = [{"id": f"{at}{code}", "code": code} for code in "xyz"]
        database.commit(NOON_US + at, *steps, *(("c", "user", None, user) for user in users))
    told = teams(*replay(order(archived(database.log), rules=rules)).payloads)
    assert told == ["xx", "yy", None, None, "yy", "xx", None, "yy", "xx"]


@pytest.mark.parametrize(
    "end", [("d", "team", {"id": 7, "name": "a"}, None), ("t", "team", None, None)]
)
def test_a_row_that_is_gone_is_looked_up_no_more(end: tuple) -> None:
    """But by the transaction that deleted it: a cascade deletes what belongs to it after it."""
    database = Database()
    database.commit(NOON_US, team("c", "a"))
    database.commit(NOON_US + 1, end, member(1))
    database.commit(NOON_US + 2, member(2))
    assert teams(*replay(order(archived(database.log))).payloads) == ["a", None]


def test_another_databases_row_is_looked_up_only_if_there_is_no_own_table() -> None:
    """And if it is the only other one: a value is never taken from the wrong database."""
    one, other, third = Database("pg"), Database("other"), Database("third")
    other.commit(NOON_US, team("c", "theirs"))
    one.commit(NOON_US + 1, member(1))
    assert teams(*replay(order(archived([*one.log, *other.log]))).payloads) == ["theirs"]
    third.commit(NOON_US, team("c", "third"))
    assert teams(*replay(order(archived([*one.log, *other.log, *third.log]))).payloads) == [None]
    one.commit(NOON_US + 2, team("c", "ours", id=8))
    assert teams(*replay(order(archived([*one.log, *other.log]))).payloads) == [None]
