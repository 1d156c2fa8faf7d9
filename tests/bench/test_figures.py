"""The benchmark's figures and who is left out, without running anyone."""

from __future__ import annotations

import pytest

from bench import figures, lineup
from bench.filled import Topic
from bench.subjects import Cost
from infra.local.artifacts import StackError

TOPIC = Topic("t", {0: 1_000_000}, 1_000_000_000)


def cost(cpu_s: float, **more: object) -> Cost:
    return Cost(10.0, cpu_s, 0.5, 1 << 30, **more)  # type: ignore[arg-type]


def test_a_ratio_is_of_runs_of_the_same_turn() -> None:
    """A machine that is slow in one turn is slow for both."""
    ours = [cost(10), cost(20), cost(40)]
    theirs = [cost(20), cost(40), cost(80)]
    line = dict(zip(figures.HEAD, figures.row("x", TOPIC, theirs, ours), strict=True))
    assert line["CPU s per million events"] == "40.00 (×2.00)"
    assert line["from–to"] == "20.0–80.0"
    assert line["events/s"] == "100,000 (×1.00)"


def test_what_was_not_taken_has_no_figure() -> None:
    """A floor that only reads stores nothing and asks for nothing."""
    line = dict(zip(figures.HEAD, figures.row("x", TOPIC, [cost(1)], [cost(2)]), strict=True))
    assert line["stored bytes an event"] == line["requests per million events"] == ""


def test_requests_have_the_list_price_of_their_kind() -> None:
    """Starting and ending a multipart upload is a POST, priced as a PUT; deleting is free."""
    assert figures.priced({"PUT": 1_000, "POST": 500, "LIST": 500, "DELETE": 9}) == 0.01
    assert figures.priced({"GET": 500, "HEAD": 500}) == pytest.approx(0.0004)


def raising(error: Exception) -> Cost:
    raise error


def test_a_peer_that_cannot_be_had_is_left_out_with_the_reason() -> None:
    """And is not tried again; the others are measured in each turn."""
    tried: list[int] = []

    def missing() -> Cost:
        tried.append(1)
        return raising(StackError("mvn is needed and not installed"))

    found = {
        "ours": lineup.Subject(lambda: cost(1), needed=True),
        "peer": lineup.Subject(missing, needed=False),
    }
    runs, left_out = lineup.compared(TOPIC, found, 3)
    assert runs == {"ours": [cost(1)] * 3}
    assert left_out == {"peer": "mvn is needed and not installed"}
    assert tried == [1]


def test_a_peer_that_stored_too_little_is_left_out_too() -> None:
    """Its figures would be of other work."""
    wrong = AssertionError("sent 10, stored 9")
    _, left_out = lineup.compared(
        TOPIC, {"peer": lineup.Subject(lambda: raising(wrong), needed=False)}, 1
    )
    assert left_out == {"peer": "sent 10, stored 9"}


def test_ours_that_stored_too_little_ends_the_run() -> None:
    """There is nothing to compare with."""
    with pytest.raises(AssertionError, match="sent 10, archived 9"):
        lineup.compared(
            TOPIC,
            {
                "ours": lineup.Subject(
                    lambda: raising(AssertionError("sent 10, archived 9")), needed=True
                )
            },
            1,
        )


def test_a_peers_command_is_named() -> None:
    """Arguments may hold equals signs themselves."""
    assert lineup.commands(["Bento=/opt/bento --set a=b -c"]) == {
        "Bento": "/opt/bento --set a=b -c"
    }
    with pytest.raises(ValueError, match="NAME=COMMAND"):
        lineup.commands(["/opt/bento"])
