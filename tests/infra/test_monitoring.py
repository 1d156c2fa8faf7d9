"""Alerts and dashboard speak of metrics that exist, and every alert says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdc_archive.telemetry.metrics import Metrics
from cdc_archive.watch.metrics import WatchMetrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "infra" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())
DASHBOARD = json.loads((ROOT / "infra" / "grafana" / "dashboard.json").read_text())

ALERTS = [
    rule for group in RULES["groups"] for rule in group["rules"] if rule.get("alert") is not None
]
RECORDED = {
    rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule
}
OF_PROMETHEUS = {"namespace", "job", "instance", "pod"}
"""Labels that the scrape adds."""
_SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def exposed() -> dict[str, set[str]]:
    """Labels by name of each series, as Prometheus stores them."""
    series: dict[str, set[str]] = {}
    for family in (*vars(Metrics()).values(), *vars(WatchMetrics()).values()):
        for told in getattr(family, "describe", list)():
            for suffix in _SUFFIXES[told.type]:
                labels = set(family._labelnames) | ({"le"} if suffix == "_bucket" else set())
                series[told.name + suffix] = labels
    return series


def panels() -> Iterator[dict[str, Any]]:
    for one in DASHBOARD["panels"]:
        yield one
        yield from one.get("panels", ())


def dashboard_expressions() -> list[str]:
    variables = [
        one["definition"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"
    ]
    drawn = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    return drawn + variables


EXPRESSIONS = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
EXPRESSIONS += dashboard_expressions()


def anchors(page: Path) -> set[str]:
    """Of all headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_only_series_that_we_expose_are_asked_for(expression: str) -> None:
    """A renamed metric would leave an alert that never fires."""
    known = exposed()
    for name in re.findall(r"(?<![:\w])cdc_archive_\w+(?!\w*:)", expression):
        assert name in known or name == "cdc_archive_", name
    for recorded in re.findall(r"\w+:cdc_archive_\w+:\w+", expression):
        assert recorded in RECORDED


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_only_labels_that_a_series_has_are_selected(expression: str) -> None:
    """A selector of a label that is not there selects nothing, in silence."""
    known = exposed()
    for name, selector in re.findall(r"(cdc_archive_\w+)\{([^}]*)\}", expression):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert asked <= known[name] | OF_PROMETHEUS, name


def test_every_series_is_on_the_dashboard() -> None:
    """But for the parts of a histogram that its buckets stand for."""
    drawn = " ".join(dashboard_expressions())
    for name in exposed():
        if not name.endswith(("_sum", "_count")):
            assert re.search(rf"\b{name}\b", drawn), name


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    """Its runbook is a heading that exists, and is named for the alert."""
    assert alert["labels"]["severity"] in {"critical", "warning", "none"}
    told = alert["annotations"]
    assert told.keys() == {"summary", "description", "runbook_url"}
    page, _, anchor = told["runbook_url"].partition("#")
    assert anchor in anchors(ROOT / page)


def test_every_alert_has_a_case() -> None:
    """In rules_test.yaml, quiet first and then firing."""
    cases = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text())["tests"]
    fired = {
        name
        for case in cases
        for check in case["promql_expr_test" if "promql_expr_test" in case else "alert_rule_test"]
        for sample in check.get("exp_samples", ())
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == {alert["alert"] for alert in ALERTS}


def test_every_series_that_an_alert_asks_for_is_in_the_healthy_case() -> None:
    """Else healthy would only mean that there is nothing to look at."""
    healthy = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text())["tests"][0]
    given = {one["series"].partition("{")[0] for one in healthy["input_series"]}
    rules = " ".join(rule["expr"] for group in RULES["groups"] for rule in group["rules"])
    assert set(re.findall(r"(?<![:\w])(?:cdc_archive|kube)_\w+(?!\w*:)", rules)) <= given


def test_every_panel_says_what_it_shows() -> None:
    """A title, a description, a unit and thresholds."""
    for panel in panels():
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"]
        if panel["type"] != "heatmap":
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]


def test_panels_do_not_overlap() -> None:
    """Each cell of the grid of 24 columns belongs to one."""
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_asks_the_data_source_that_was_chosen() -> None:
    """No uid of somebody's Grafana is in it."""
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    uids = re.findall(r'"uid": "([^"]*)"', json.dumps(DASHBOARD))
    assert set(uids) == {"${datasource}", DASHBOARD["uid"]}
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
