"""Helm's own tool renders the chart; Kubernetes' schemas and our own program accept the result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cdc_archive.cli.main import COMMANDS
from infra.local import artifacts

pytestmark = pytest.mark.e2e

CHART = Path(artifacts.__file__).parents[1] / "helm" / "cdc-archive"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
ROOM_BESIDE_THE_BUDGET = 150
"""MiB that a worker needs at most beside archive.memory_budget_bytes: docs/capacity.md."""
VERSIONS = ("1.31.0", "1.34.0", "1.37.0")


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [artifacts.helm(), *arguments], capture_output=True, text=True, check=False
    )


def rendered(case: Path, *settings: str) -> list[dict[str, Any]]:
    more = [part for setting in settings for part in ("--set", setting)]
    done = helm("template", "prod", CHART, "--namespace", "audit", "-f", case, *more)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def the(documents: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [
        one for one in documents if one["kind"] == kind and one["metadata"]["name"].endswith(name)
    ]
    return found


def pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pod's spec of everything that runs."""
    made = []
    for one in documents:
        if one["kind"] in ("Deployment", "StatefulSet"):
            made.append(one["spec"]["template"]["spec"])
        if one["kind"] == "CronJob":
            made.append(one["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    return made


@pytest.fixture(params=CASES, ids=lambda case: case.stem)
def case(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_helm_finds_no_fault(case: Path) -> None:
    """Nor anything to warn of."""
    done = helm("lint", "--strict", CHART, "-f", case)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(case: Path, version: str) -> None:
    """By its schemas, strictly; what belongs to the Prometheus operator has none there."""
    for document in rendered(case):
        if not document["apiVersion"].startswith("monitoring.coreos.com/"):
            kubernetes_validate.validate(document, version, strict=True)


def test_our_program_accepts_its_configuration(case: Path, tmp_path: Path) -> None:
    """Every setting of the ConfigMap, the files of its secrets in place."""
    text = the(rendered(case), "ConfigMap", "archive")["data"]["cdc-archive.toml"]
    ca = tmp_path / "ca.pem"
    ca.touch()
    file = tmp_path / "cdc-archive.toml"
    file.write_text(text.replace("/etc/kafka/ca.pem", str(ca)))
    secrets = {"CDC_ARCHIVE_KAFKA__SASL_PASSWORD": "x"} if "sasl_username" in text else {}
    secrets |= {"CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": "x"} if "access_key_id" in text else {}
    done = cdc_archive("--config", str(file), "config", "check", **secrets)
    assert done.returncode == 0, done.stderr


def test_our_program_knows_every_commands_options(case: Path) -> None:
    """--help after them is answered only if they are options of the command."""
    for pod in pods(rendered(case)):
        arguments = pod["containers"][0]["args"]
        if arguments[0] in COMMANDS:
            done = cdc_archive(*arguments, "--help")
            assert done.returncode == 0, done.stderr


def cdc_archive(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("cdc-archive")
    return subprocess.run(
        [program, *arguments],
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_runs_with_more_rights_than_it_needs(case: Path) -> None:
    """No root, no privilege, no writable root, no token of the cluster; a role of its own each."""
    made = pods(rendered(case))
    assert made
    for pod in made:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() == {"memory"}
    accounts = [pod["serviceAccountName"] for pod in made]
    assert len(accounts) == len(set(accounts))


def test_the_worker_has_time_to_commit_and_room_for_its_budget(case: Path) -> None:
    """More than worker.shutdown_deadline_seconds, more than archive.memory_budget_bytes."""
    documents = rendered(case)
    spec = the(documents, "Deployment", "worker")["spec"]["template"]["spec"]
    config = yaml.safe_load(case.read_text())["config"]
    deadline = config.get("worker", {}).get("shutdown_deadline_seconds", 25)
    budget = config.get("archive", {}).get("memory_budget_bytes", 256 * 2**20) / 2**20
    assert spec["terminationGracePeriodSeconds"] >= deadline + 10
    limit = spec["containers"][0]["resources"]["limits"]["memory"].replace("1Gi", "1024Mi")
    assert int(limit.removesuffix("Mi")) >= budget + ROOM_BESIDE_THE_BUDGET


def test_the_watch_keeps_its_state_on_its_volume() -> None:
    """In a folder that it makes itself, for its owner only: the volume's root is not its own."""
    documents = rendered(CHART / "ci" / "everything-values.yaml")
    spec = the(documents, "StatefulSet")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (mounted,) = [one for one in container["volumeMounts"] if one["name"] == "state"]
    given = {one["name"]: one["value"] for one in container["env"]}
    assert given["CDC_ARCHIVE_WATCH__STATE_DIR"] == f"{mounted['mountPath']}/watch"
    assert spec["volumeClaimTemplates"][0]["metadata"]["name"] == "state"
    assert spec["replicas"] == 1


def test_probes_ask_for_work_done_at_the_port_of_the_configuration() -> None:
    """/healthz restarts, /readyz holds a rollout back."""
    minimal = CHART / "ci" / "minimal-values.yaml"
    documents = rendered(minimal, "config.worker.http_port=8080")
    (container,) = the(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 8080}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


def test_the_rules_are_the_tested_ones_with_the_runbooks_address() -> None:
    """Word for word but for that."""
    rule = the(rendered(CHART / "ci" / "everything-values.yaml"), "PrometheusRule")
    text = (CHART / "files" / "rules.yaml").read_text()
    where = "runbook_url: https://docs.internal/cdc-archive/"
    assert rule["spec"] == yaml.safe_load(text.replace("runbook_url: docs/", where))


def test_the_dashboard_is_the_tested_one() -> None:
    """As Grafana's sidecar finds it."""
    made = the(rendered(CHART / "ci" / "everything-values.yaml"), "ConfigMap", "dashboard")
    assert made["data"]["cdc-archive.json"].strip() == (
        (CHART / "files" / "dashboard.json").read_text().strip()
    )


def test_a_changed_setting_restarts_the_workers() -> None:
    """Settings are read at the start."""
    minimal = CHART / "ci" / "minimal-values.yaml"

    def annotations(*settings: str) -> dict[str, str]:
        deployment = the(rendered(minimal, *settings), "Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]

    assert annotations() == annotations()
    assert annotations() != annotations("config.archive.codec=deflate")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("config.kafka.sasl_password=x", "config/kafka"),
        ("image.repository=", "image/repository"),
        ("jobs.reconcile.enabled=true", "jobs.reconcile.args is empty"),
    ],
)
def test_helm_refuses_values_that_cannot_work(setting: str, told: str) -> None:
    """Before anything is installed, and says which."""
    minimal = CHART / "ci" / "minimal-values.yaml"
    done = helm("template", "prod", CHART, "-f", minimal, "--set", setting)
    assert done.returncode != 0
    assert told in done.stderr
