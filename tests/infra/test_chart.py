"""The Helm chart, as far as Python alone can tell: what it shares and what its values may be."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import cdc_archive

INFRA = Path(__file__).parents[2] / "infra"
CHART = INFRA / "helm" / "cdc-archive"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
CASES = sorted((CHART / "ci").glob("*-values.yaml"))


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """As Helm lays one file of values over another."""
    made = copy.deepcopy(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = merged(made[key], value) if both else value
    return made


def values(**over: Any) -> dict[str, Any]:
    """Of the minimal case, changed."""
    minimal = yaml.safe_load((CHART / "ci" / "minimal-values.yaml").read_text())
    return merged(merged(DEFAULTS, minimal), over)


@pytest.mark.parametrize(
    ("shared", "original"),
    [("rules.yaml", "prometheus/rules.yaml"), ("dashboard.json", "grafana/dashboard.json")],
)
def test_the_chart_ships_the_rules_and_the_dashboard_themselves(shared: str, original: str) -> None:
    """One file, by a link: a copy would be forgotten."""
    assert (CHART / "files" / shared).resolve() == INFRA / original


def test_the_charts_version_of_the_program_is_the_programs() -> None:
    """Else it would ask for an image that nobody built."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == cdc_archive.__version__


def test_the_pods_user_is_the_images() -> None:
    """Whose files and whose number they are."""
    image = (INFRA / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\d+)$", image, re.MULTILINE)
    pod = (CHART / "templates" / "_helpers.tpl").read_text()
    assert f"runAsUser: {user}\n" in pod
    assert f"--uid {user} " in image
    assert 'ENTRYPOINT ["cdc-archive"]' in image


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_cases_are_valid_values(case: Path) -> None:
    """By the schema that Helm asks."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(merged(DEFAULTS, yaml.safe_load(case.read_text())), SCHEMA)


def test_the_defaults_alone_are_refused() -> None:
    """Brokers, topics, bucket and image have no default that could be right."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(DEFAULTS, SCHEMA)


@pytest.mark.parametrize(
    ("over", "about"),
    [
        ({"config": {"kafka": {"sasl_password": "x"}}}, "sasl_password"),
        ({"config": {"kafka": {"ssl_key_password": "x"}}}, "ssl_key_password"),
        ({"config": {"store": {"secret_access_key": "x"}}}, "secret_access_key"),
        ({"config": {"store": {"session_token": "x"}}}, "session_token"),
        ({"config": {"store": {"url": "/var/archive"}}}, "s3://"),
        ({"config": {"kafka": {"topics": ["a"]}}}, "topic"),
        ({"config": {"worker": {"http_port": -1}}}, "-1"),
        ({"config": {"worker": {"http_host": "127.0.0.1"}}}, "0.0.0.0"),
        ({"worker": {"replica": 3}}, "replica"),
        ({"jobs": {"verify": {"shedule": "x"}}}, "shedule"),
    ],
    ids=str,
)
def test_values_that_would_do_harm_are_refused(over: dict[str, Any], about: str) -> None:
    """A secret in a ConfigMap, a folder that dies with its pod, a probe without a port, a typo."""
    jsonschema.validate(values(), SCHEMA)
    with pytest.raises(jsonschema.ValidationError, match=re.escape(about)):
        jsonschema.validate(values(**over), SCHEMA)


def test_no_secret_setting_may_stand_in_the_config() -> None:
    """The schema names each that the program knows."""
    from cdc_archive.config.settings import SECTIONS, is_secret

    refused = SCHEMA["properties"]["config"]["properties"]
    for name, section in SECTIONS.items():
        for key, field in section.model_fields.items():
            if is_secret(field.annotation):
                forbidden = refused[name]["not"]["anyOf"]
                assert {"required": [key]} in forbidden, f"{name}.{key}"
