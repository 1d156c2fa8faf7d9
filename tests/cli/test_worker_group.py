"""`cdc-archive worker --processes`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.build import changes
from support.mock_broker import PARTITIONS, mock_broker
from support.workshop import archived

from cdc_archive.cli import worker_group
from cdc_archive.config.load import load, variable
from cdc_archive.errors import ConfigInvalid
from cdc_archive.storage.local import LocalStore

EACH = 20


def _until(done: Callable[[], bool], worker: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while not done():
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _assigned(log: Path) -> list[str]:
    return [
        line["partition"]
        for line in map(json.loads, log.read_text().splitlines())
        if line["event"] == "partition assigned"
    ]


def _started(servers: str, topic: str, tmp_path: Path) -> tuple[subprocess.Popen[bytes], Path]:
    store, log = tmp_path / "archive", tmp_path / "log"
    store.mkdir()
    given = {
        variable("store.url"): str(store),
        variable("kafka.bootstrap_servers"): servers,
        variable("kafka.topics"): topic,
        variable("kafka.client"): "librdkafka",
        variable("kafka.assignment"): "range",
        variable("kafka.api_version"): "2.3",
        variable("kafka.session_timeout_ms"): "6000",
        variable("archive.commit_age_seconds"): "0.2",
        variable("worker.http_port"): "-1",
        variable("worker.log_format"): "json",
        variable("digest.seal"): "false",
    }
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "cdc_archive", "worker", "--processes", "2"],
            env=os.environ | given,
            stdout=out,
            stderr=out,
        )
    return worker, log


def test_processes_share_the_partitions_and_stop_together(tmp_path: Path) -> None:
    """Two members archive every message once; SIGTERM to the command ends both, exit code 0."""
    with mock_broker() as broker:
        topic = broker.topic()
        broker.produce(
            one._replace(topic=topic, partition=partition)
            for partition in range(PARTITIONS)
            for one in changes(EACH)
        )
        worker, log = _started(broker.servers, topic, tmp_path)
        try:
            store = LocalStore(tmp_path / "archive")

            def whole() -> bool:
                if not (tmp_path / "archive" / "archive.json").exists():
                    return False
                return len(archived(store)) == PARTITIONS * EACH

            _until(whole, worker, log)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0, log.read_text()
            assert log.read_text().count('"stopped"') == 2
            assert {*_assigned(log)} == {f"{topic}[{number}]" for number in range(PARTITIONS)}
        finally:
            worker.kill()
            worker.wait()


def test_when_one_process_ends_the_command_ends_with_its_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Settings that each member refuses: one says so first, the other is stopped at any moment."""
    config = tmp_path / "wrong.toml"
    config.write_text('[kafka]\ntopics = ["t"]\n')
    assert worker_group.run(config, 2) == ConfigInvalid.exit_code
    assert "kafka.bootstrap_servers" in capfd.readouterr().err


def test_each_member_has_a_name_and_a_port_of_its_own() -> None:
    """No two are the same member to Kafka, nor listen where the other does."""
    given = {
        variable("store.url"): "/tmp",
        variable("kafka.bootstrap_servers"): "k:1",
        variable("kafka.topics"): "t",
        variable("kafka.group_instance_id"): "archive",
        variable("worker.http_port"): "9000",
    }
    settings = worker_group.member(load(None, given, ("kafka", "store")), 2).settings
    assert settings.kafka is not None
    assert (settings.kafka.client_id, settings.kafka.group_instance_id) == (
        "cdc-archive-2",
        "archive-2",
    )
    assert settings.worker.http_port == 9002
