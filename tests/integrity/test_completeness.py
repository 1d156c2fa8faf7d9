"""Transactions are held against their END: recorded streams, whole and with something taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.captures import messages
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.reader.window import Window
from cdc_archive.integrity.completeness import (
    COMPLETE,
    COUNTED_ANEW,
    SHORT,
    UNPROVABLE,
    End,
    Facts,
    Seen,
    StreamResult,
    judge,
)
from cdc_archive.integrity.findings import Finding
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore

EVER = Window()


def verified(
    log: Iterable[Message], window: Window = EVER, **more: Any
) -> tuple[StreamResult, list[Finding]]:
    """The result of the only connector, and the findings."""
    store = MemoryStore()
    late = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    Workshop(SimulatedSource(log), store, wall=lambda: late, **more).run()
    verification = Verification(store, Asked(window))
    found = [*verification.run()]
    (result,) = verification.streams
    return result, found


def value(message: Message) -> dict[str, Any]:
    return json.loads(message.value or b"{}")


def is_end(message: Message, transaction: str) -> bool:
    told = value(message) if message.topic.endswith(".transaction") else {}
    return told.get("status") == "END" and told["id"].startswith(f"{transaction}:")


def of_transaction(message: Message) -> str | None:
    block = value(message).get("transaction")
    return None if block is None else block["id"].partition(":")[0]


def rows(log: Iterable[Message], transaction: str) -> list[Message]:
    return [one for one in log if of_transaction(one) == transaction]


def without(log: Iterable[Message], gone: Iterable[Message]) -> list[Message]:
    places = {(one.topic, one.offset) for one in gone}
    return [one for one in log if (one.topic, one.offset) not in places]


def edited(message: Message, **members: Any) -> Message:
    return message._replace(value=json.dumps(value(message) | members).encode())


JP, DUP = messages("pg_jp"), messages("pg_dup")
LARGE = "1636"
"""A transaction of pg_jp of eight changes of seven tables."""


@pytest.mark.parametrize(
    ("name", "count"), [("pg_js", 65), ("pg_jp", 65), ("pg_dup", 16), ("platform", 60)]
)
def test_a_recorded_stream_is_complete(name: str, count: int) -> None:
    """Twice delivered, with messages, with a schema around each value: all is here, and once."""
    result, found = verified(messages(name))
    assert (result.state, result.states[COMPLETE], result.states.total()) == (
        COMPLETE,
        count,
        count,
    )
    assert found == []


def test_a_change_that_is_not_here_is_told_with_table_transaction_and_place() -> None:
    gone = rows(JP, LARGE)[2]
    result, (finding,) = verified(without(JP, [gone]))
    assert (result.state, result.states[SHORT]) == (SHORT, 1)
    table = value(gone)["source"]["table"]
    told = rf"transaction {LARGE} at LSN \d+ \(END jp\.transaction\[0\]@\d+\): "
    told += rf"app\.{table} is short by 1 of \d"
    assert (finding.kind, finding.is_damage) == ("incomplete", False)
    assert re.fullmatch(told, finding.what)


def test_one_delivery_of_two_is_enough() -> None:
    """All changes that came twice, but only once: the same transactions are complete."""
    seen: set[tuple[Any, ...]] = set()
    again = []
    for one in DUP:
        block, source = value(one).get("transaction"), value(one).get("source")
        place = None if block is None else (source["txId"], block["total_order"])
        if place is not None and place in seen:
            again.append(one)
        seen |= set() if place is None else {place}
    assert len(again) > 1000
    result, found = verified(without(DUP, again))
    assert (result.state, found) == (COMPLETE, [])


def test_a_logical_message_that_is_not_here_is_short() -> None:
    gone = [one for one in JP if one.topic == "jp.message" and of_transaction(one)][1]
    _, (finding,) = verified(without(JP, [gone]))
    assert "(messages) is short by 1 of 1" in finding.what


def test_an_end_that_is_not_here_is_told() -> None:
    """Those of later transactions came; of the last one it may still come."""
    gone = [one for one in JP if is_end(one, LARGE)]
    result, (finding,) = verified(without(JP, gone))
    assert f"transaction {LARGE} of jp: 8 changes, but its END" in finding.what
    last = max(int(of_transaction(one) or 0) for one in JP)
    result, found = verified(without(JP, [one for one in JP if is_end(one, str(last))]))
    assert (found, result.reasons) == ([], {"their END is not archived yet": 1})


@pytest.mark.parametrize(("late_s", "state"), [(0, UNPROVABLE), (7_200, SHORT)])
def test_boundaries_whose_chain_is_behind_are_on_their_way_for_a_while(
    late_s: int, state: str
) -> None:
    """Each chain commits on its own: the newest ENDs may be archived after later changes."""
    ended = [value(one)["id"] for one in JP if value(one).get("status") == "END"]
    behind = {one.partition(":")[0] for one in ended[-3:]}
    log = without(JP, [one for one in JP if any(is_end(one, number) for number in behind)])
    last = max(behind & {of_transaction(one) for one in JP} - {None}, key=int)
    moved = [
        edited(
            one,
            ts_ms=value(one)["ts_ms"],
            source=source | {"ts_ms": source["ts_ms"] + late_s * 1000},
        )
        if of_transaction(one) == last and (source := value(one).get("source"))
        else one
        for one in log
    ]
    result, found = verified(moved)
    assert result.states[state] == len(behind) - (state == SHORT)
    assert bool(found) == (state == SHORT)


def test_a_table_that_is_not_archived_proves_nothing() -> None:
    """Its topic is left out by the settings, or was never read."""
    (topic,) = {one.topic for one in JP if one.topic.endswith(".service_account")}
    result, found = verified(one for one in JP if one.topic != topic)
    assert (found, result.state) == ([], UNPROVABLE)
    assert set(result.reasons) == {"app.service_account: its topic is not in this archive"}
    result, found = verified(JP, skip=lambda name: name == topic)
    assert found == []
    (reason,) = result.reasons
    assert reason == "app.service_account: the settings leave messages of its topic out"


def test_a_change_in_quarantine_is_no_gap() -> None:
    gone = rows(JP, LARGE)[0]
    log = [one._replace(value=b"poison") if one is gone else one for one in JP]
    result, found = verified(log)
    assert found == []
    assert "wait in quarantine" in next(iter(result.reasons))


def test_without_transaction_metadata_nothing_is_proven() -> None:
    result, found = verified(one for one in JP if not one.topic.endswith(".transaction"))
    assert (found, result.state) == ([], UNPROVABLE)
    assert set(result.reasons) == {"no transaction metadata is archived"}


def test_what_came_before_the_archive_began_is_no_gap() -> None:
    """The log of a table had lost its beginning when the archive began."""
    topic = "jp.app.event_log"
    offsets = sorted(one.offset for one in JP if one.topic == topic)
    middle = offsets[len(offsets) // 2]
    result, found = verified(one for one in JP if one.topic != topic or one.offset >= middle)
    assert found == []
    assert result.states[UNPROVABLE] > 0
    assert all("begins later" in reason for reason in result.reasons)


def restarted(log: Iterable[Message], transaction: str) -> list[Message]:
    """As an old connector that restarts after the third change tells it: it counts anew."""
    counted: dict[int, int] = {}
    out = []
    for one in log:
        if of_transaction(one) == transaction:
            block = value(one)["transaction"]
            order = block["total_order"]
            if order > 3:
                counted[order] = order - 3
                anew = {"total_order": order - 3}
                out.append(edited(one, transaction=block | anew))
                continue
        out.append(one)
    tables: dict[str, int] = {}
    for one in rows(log, transaction):
        if value(one)["transaction"]["total_order"] > 3:
            name = "app." + value(one)["source"]["table"]
            tables[name] = tables.get(name, 0) + 1
    collections = [{"data_collection": t, "event_count": n} for t, n in tables.items()]
    told = {"event_count": len(counted), "data_collections": collections}
    return [edited(one, **told) if is_end(one, transaction) else one for one in out]


def test_an_old_connector_that_restarted_within_a_transaction_is_no_alarm() -> None:
    log = restarted(JP, LARGE)
    result, (finding,) = verified(log)
    assert (finding.kind, result.state, result.states[COUNTED_ANEW]) == ("restarted", COMPLETE, 1)
    assert "END tells of 5, 8 are here" in finding.what


def test_numbers_of_transactions_come_again_after_four_billion() -> None:
    """The LSN tells two of one number apart: one of them is short, the other is not blamed."""
    far = 1 << 40

    def moved(match: re.Match[str]) -> str:
        return f"{LARGE}:{int(match[1]) + far}"

    first = [one for one in JP if of_transaction(one) == LARGE or is_end(one, LARGE)]
    again = []
    base = {one.topic: 0 for one in JP}
    for one in JP:
        base[one.topic] = max(base[one.topic], one.offset + 1)
    for one in first[1:]:
        text = re.sub(rf"{LARGE}:(\d+)", moved, (one.value or b"").decode())
        told = json.loads(text)
        if "source" in told:
            told["source"]["lsn"] += far
            lsns = [int(n) + far for n in json.loads(told["source"]["sequence"])]
            told["source"]["sequence"] = json.dumps([str(n) for n in lsns])
        again.append(one._replace(value=json.dumps(told).encode(), offset=base[one.topic]))
        base[one.topic] += 1
    result, (finding,) = verified([*JP, *again])
    assert (result.states[COMPLETE], result.states[SHORT]) == (65, 1)
    assert "is short by 1" in finding.what


def test_a_window_judges_the_transactions_that_end_in_it() -> None:
    times = sorted(value(one)["ts_ms"] for one in JP if one.topic == "jp.transaction")
    result, found = verified(JP, Window(times[0] * 1000, (times[-1] + 1) * 1000))
    assert (result.states.total(), found) == (65, [])


def end(**by_table: int) -> End:
    return End("7", 100, sum(by_table.values()), by_table, 0, "x[0]@1", "file")


def seen(places: dict[str, int], *, conflict: bool = False) -> Seen:
    return Seen(places, places, conflict, 1, 90)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 5)), st.data())
def test_no_fewer_and_no_more_is_complete_and_nothing_else(
    expected: dict[str, int], data: st.DataObject
) -> None:
    here = {name: data.draw(st.integers(0, 6)) for name in expected}
    state = judge(end(**expected), seen(here), {n: Facts() for n in expected}, None).state
    if here == expected:
        assert state == COMPLETE
    elif any(here[name] < count for name, count in expected.items()):
        assert state == SHORT
    else:
        assert state == UNPROVABLE


EXPLAINED: list[tuple[Facts, str]] = [
    (Facts(archived=False), "not in this archive"),
    (Facts(damaged=True), "damaged"),
    (Facts(skipped=1), "leave messages"),
    (Facts(quarantined=1), "in quarantine"),
    (Facts(begins_at=95), "begins later"),
    (Facts(ends_at=99), "on their way"),
    (Facts(ends_at=101, unopened=(-1, None)), "not opened"),
]


@pytest.mark.parametrize(("facts", "says"), EXPLAINED)
def test_what_the_archive_cannot_know_is_said(facts: Facts, says: str) -> None:
    judged = judge(end(a=1), seen({}), {"a": facts}, 1)
    assert judged.state == UNPROVABLE
    assert says in judged.why


def test_no_change_at_all_is_complete() -> None:
    """Debezium sends such transactions: all their tables are left out."""
    assert judge(end(), seen({}), {}, None).state == COMPLETE
    assert judge(End("7", None, 0, {}, None, "", ""), seen({}), {}, None).state == COMPLETE


NAMES: list[tuple[str, str]] = [
    ("lab.app.user", "app.user"),
    ("inventory.orders", "inventory.orders"),
    ("user", "app.user"),
]


@pytest.mark.parametrize(("archived", "told"), NAMES)
def test_tables_are_told_by_the_names_that_end_has(archived: str, told: str) -> None:
    counted: Callable[[], End] = lambda: End("7", 1, 1, {told: 1}, 0, "", "")  # noqa: E731
    assert judge(counted(), seen({archived: 1}), {}, None).state == COMPLETE
