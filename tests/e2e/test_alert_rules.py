"""Prometheus's own tool: the rules are rules, each alert fires in its case and only there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from infra.local import artifacts

pytestmark = pytest.mark.e2e

INFRA = Path(artifacts.__file__).parents[1]
RULES = INFRA / "prometheus" / "rules.yaml"


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [artifacts.promtool(), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_have_no_fault() -> None:
    """Nor what the linter warns of."""
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_each_alert_fires_in_its_case_and_not_in_the_healthy_one() -> None:
    """As rules_test.yaml has it."""
    assert "SUCCESS" in promtool("test", "rules", RULES.parent / "rules_test.yaml")


def test_every_expression_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    """Checked as recording rules, Grafana's variables filled in."""
    dashboard = json.loads((INFRA / "grafana" / "dashboard.json").read_text())
    expressions = [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    rules = [
        {"record": f"panel:number{number}", "expr": re.sub(r"\$\w+", ".*", one)}
        for number, one in enumerate(expressions)
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    told = promtool("check", "rules", file)
    assert f"{len(expressions)} rules found" in told
