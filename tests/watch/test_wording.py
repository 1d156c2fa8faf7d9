"""What alerts and groups say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.alarmed import START_US, World, condition

from cdc_archive.watch import wording
from cdc_archive.watch.log_receiver import LogReceiver
from cdc_archive.watch.message import Message

SILENT = condition()
ALERTS_PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"


def messages() -> list[Message]:
    """One alert; it and five more; the end of all."""
    world = World()
    world.look(SILENT)
    more = [condition(kind=f"k{n}", severity="warning", summary=f"keys: {n}") for n in range(5)]
    world.keep(130, SILENT, *more)
    world.keep(600)
    return world.sent


def test_one_alert_speaks_for_its_group() -> None:
    assert wording.headline(messages()[0]) == (
        "keys: 12 changes of api_key, 0 api_key.* events published"
    )


def test_several_alerts_are_named_and_the_rest_counted() -> None:
    assert wording.headline(messages()[1]) == (
        "keys: 12 changes of api_key, 0 api_key.* events published; keys: 0; keys: 1; 3 more"
    )


def test_what_is_over_is_said_to_be_over() -> None:
    *_, last = messages()
    assert wording.headline(last).startswith("resolved: keys: 12 changes of api_key")


def test_alerts_that_found_no_place_are_counted_in_the_headline() -> None:
    world = World()
    world.look(*[condition(type=f"t{n}") for n in range(1234)])
    assert wording.headline(world.sent[0]).endswith("; 97 more; and 1,134 more alerts")


def test_a_description_says_since_when_how_many_and_where() -> None:
    world = World()
    world.look(SILENT._replace(count=4000))
    world.keep(400)
    world.look(SILENT, seconds=10)
    (found,) = world.alerts.firing()
    again = found._replace(highest=4000, times=2, first_us=START_US)
    assert wording.description(again) == (
        "Since 2026-02-19 17:06 UTC. It began 2 times since 2026-02-19 17:00 UTC. At most 4,000."
        " For example db.app.api_key[3]@1041."
    )


def test_a_label_without_a_value_is_left_out() -> None:
    world = World()
    world.look(condition("", type="", kind="lag"))
    assert wording.labels(world.sent[0].alerts[0]) == {
        "alertname": "CdcArchiveAudit",
        "kind": "lag",
        "severity": "critical",
    }


@pytest.mark.parametrize("kind", [*wording.RUNBOOKS, "different"])
def test_what_to_do_is_a_heading_of_the_alerts_page(kind: str) -> None:
    page, _, anchor = wording.runbook(kind).partition("#")
    assert page == ALERTS_PAGE.name
    heads = re.findall(r"^#+ (.+)$", ALERTS_PAGE.read_text(), re.MULTILINE)
    assert anchor in {head.lower() for head in heads}


@pytest.mark.parametrize(("at", "level"), [(0, "error"), (-1, "warning")])
def test_a_message_is_one_line_of_the_log(at: int, level: str) -> None:
    """An error if something critical is the matter; else, also when all is over, a warning."""
    with capture_logs() as logs:
        assert LogReceiver().send(messages()[at]) == ""
    (line,) = logs
    assert (line["log_level"], line["service"]) == (level, "keys")
    assert "0 api_key.* events published" in line["headline"]
    assert "kind=silence type=api_key.created service=keys severity=critical" in str(line["alerts"])
