"""Patience: how long, and what became of a lost answer."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from cdc_archive.errors import ObjectMissing, StateUnknown, StoreBusy, StoreDenied, StoreUnreachable
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.retry import Patience, RetryingStore


class Scripted(MemoryStore):
    """Creates by a script: an error to raise before or after the work, or None."""

    def __init__(self, *script: tuple[str, Exception] | None) -> None:
        super().__init__()
        self.script = list(script)

    def create(self, key: str, data: bytes) -> bool:
        when, error = (self.script.pop(0) if self.script else None) or ("never", None)
        if when == "before" and error is not None:
            raise error
        created = super().create(key, data)
        if when == "after" and error is not None:
            raise error
        return created


class Time:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patient(store: MemoryStore, time: Time, retry_s: float = 60) -> RetryingStore:
    return RetryingStore(
        store, Patience(retry_s, time.sleep, lambda: time.now, lambda low, high: high)
    )


LOST = StateUnknown("timeout")
BUSY = StoreBusy("503")


def test_a_lost_answer_of_a_create_that_happened_is_a_success() -> None:
    """What stands there is ours: the retry's 412 does not lie."""
    store = Scripted(("after", LOST))
    assert patient(store, Time()).create("k", b"ours") is True


def test_a_lost_answer_of_a_create_that_did_not_happen_is_tried_again() -> None:
    """The second try creates it."""
    store = Scripted(("before", LOST))
    assert patient(store, Time()).create("k", b"ours") is True
    assert store.get("k") == b"ours"


def test_another_writer_in_between_is_told_apart() -> None:
    """Other bytes stand there: we lost."""
    store = Scripted(("before", LOST))
    MemoryStore.create(store, "k", b"theirs")
    assert patient(store, Time()).create("k", b"ours") is False


def test_a_plain_no_stays_a_no() -> None:
    """Even if the bytes are the same: another call made it."""
    store = Scripted()
    store.create("k", b"same")
    assert patient(store, Time()).create("k", b"same") is False


def test_patience_ends_with_the_last_cause() -> None:
    """The message names what the store said and how long we tried."""
    time = Time()
    with pytest.raises(StoreUnreachable, match=r"503 \(tried for 60 s\)"):
        patient(Scripted(*[("before", BUSY)] * 1000), time).create("k", b"")
    assert time.now <= 60


def test_what_a_person_can_do_is_told_while_trying_and_at_the_end() -> None:
    """Nobody should have to wait until patience ends to read why."""
    busy = StoreBusy("the clock is off", "Set it.")
    with capture_logs() as lines, pytest.raises(StoreUnreachable) as caught:
        patient(Scripted(*[("before", busy)] * 1000), Time()).create("k", b"")
    assert caught.value.action == "Set it."
    assert (lines[0]["error"], lines[0]["action"]) == ("the clock is off", "Set it.")


def test_an_unknown_state_stays_unknown() -> None:
    """When patience ends, it is not called a failure that it may not be."""
    with pytest.raises(StateUnknown):
        patient(Scripted(*[("before", LOST)] * 1000), Time()).create("k", b"")


def test_waiting_grows_up_to_ten_seconds() -> None:
    """Twice as long each time."""
    time = Time()
    with pytest.raises(StoreUnreachable):
        patient(Scripted(*[("before", BUSY)] * 1000), time).create("k", b"")
    assert time.slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(time.slept) == 10.0


@pytest.mark.parametrize("error", [StoreDenied("403"), ObjectMissing("404")])
def test_what_waiting_cannot_mend_is_not_waited_for(error: Exception) -> None:
    """It comes out at once."""
    time = Time()
    with pytest.raises(type(error)):
        patient(Scripted(("before", error)), time).create("k", b"")
    assert time.slept == []
