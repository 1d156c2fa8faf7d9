"""The stack with Docker and the one without are of the same versions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.local.artifacts import StackError, versions
from infra.local.processes import StateFolder

INFRA = Path(__file__).parents[2] / "infra"


def test_docker_compose_takes_its_versions_from_the_one_file() -> None:
    """No image of the stack has a version of its own."""
    services = yaml.safe_load((INFRA / "docker-compose.yml").read_text())["services"]
    images = {name: service.get("image", "") for name, service in services.items()}
    for name, variable in {
        "kafka": "KAFKA_VERSION",
        "postgres": "POSTGRES_VERSION",
        "connect": "DEBEZIUM_IMAGE_VERSION",
        "s3": "VERSITYGW_VERSION",
    }.items():
        assert images[name].endswith(f":${{{variable}}}")
        assert variable in versions()
    pinned = versions()
    assert pinned["DEBEZIUM_VERSION"].startswith(pinned["DEBEZIUM_IMAGE_VERSION"])


def test_the_image_runs_as_nobody_and_tells_its_health() -> None:
    """Non-root, slim, with a health check of the worker's own."""
    text = (INFRA / "Dockerfile").read_text()
    last_stage = text.rpartition("\nFROM ")[2]
    assert "-slim" in last_stage.splitlines()[0]
    assert "\nUSER 10001" in last_stage
    assert "/healthz" in last_stage


def test_the_image_is_built_with_a_compiler_and_runs_without() -> None:
    """For the express lane; all that the build reads is there."""
    first, last = (INFRA / "Dockerfile").read_text().split("\nFROM ", 2)[1:]
    assert " gcc libc6-dev" in first
    assert "hatch_build.py" in first
    assert "gcc" not in last


def test_a_process_is_found_again_and_stopped(tmp_path: Path) -> None:
    """By pid and start time; starting it twice starts it once."""
    state = StateFolder(tmp_path)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    state.start("sleeper", command, lambda: True)
    pid = state.running("sleeper")
    state.start("sleeper", command, lambda: True)
    assert StateFolder(tmp_path).running("sleeper") == pid
    state.stop("sleeper")
    assert state.running("sleeper") is None


def test_another_process_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    """A pid can be used again after a reboot."""
    state = StateFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        state._write({"processes": {"sleeper": [other.pid, "1"]}})
        state.stop("sleeper")
        assert other.poll() is None
        os.kill(other.pid, signal.SIGKILL)


def test_what_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """Not a time-out without a word."""
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with pytest.raises(StackError, match=r"broken ended\nthe reason"):
        StateFolder(tmp_path).start("broken", command, lambda: False)


def test_a_port_is_the_same_each_time(tmp_path: Path) -> None:
    """For whoever asks later."""
    assert StateFolder(tmp_path).port("kafka") == StateFolder(tmp_path).port("kafka")
