"""The real servers of infra/local, for tests: start them, speak to them, stop single parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from infra.local import __main__ as stack_command
from infra.local import parts
from infra.local.processes import StateFolder

CONNECTOR = Path(parts.__file__).parent / "debezium-postgres.json"


@dataclass
class RealStack:
    """A running stack."""

    state: StateFolder
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path) -> RealStack:
        """Bring everything up."""
        state = StateFolder(folder)
        running = cls(state, stack_command.settings(state))
        try:
            stack_command.up(state, [*parts.PARTS])
        except BaseException:
            running.stop()
            raise
        return running

    def stop(self) -> None:
        """Bring everything down and remove its data."""
        stack_command.down(self.state, [*parts.PARTS])
        stack_command.purge(self.state)

    @property
    def kafka(self) -> str:
        """The broker's address."""
        return f"127.0.0.1:{self.state.port('kafka')}"

    def psql(self, sql: str) -> str:
        """Run SQL."""
        return parts.psql(self.state, sql)

    def s3(self) -> Any:
        """A plain boto3 client: not ours."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["CDC_ARCHIVE_STORE__ENDPOINT_URL"],
            aws_access_key_id=parts.ACCESS_KEY,
            aws_secret_access_key=parts.SECRET_KEY,
            region_name="us-east-1",
        )

    def register(self, name: str, **changes: str) -> None:
        """Start a Debezium connector and wait until it streams."""
        config = json.loads(CONNECTOR.read_text())
        config |= {
            "database.port": str(self.state.port("postgres")),
            "database.dbname": parts.DATABASE,
            "slot.name": f"slot_{name}",
            "topic.prefix": name,
        }
        self._connect("POST", "/connectors", {"name": name, "config": config | changes})
        slot = f"SELECT active FROM pg_replication_slots WHERE slot_name = 'slot_{name}'"
        wait_until(lambda: self.psql(slot) == "t", f"{name} to stream")

    def unregister(self, name: str) -> None:
        """Stop a connector."""
        self._connect("DELETE", f"/connectors/{name}")

    def stop_connector(self, name: str) -> None:
        """Let a connector give up its slot; its offsets are kept."""
        self._connect("PUT", f"/connectors/{name}/stop")
        slot = f"SELECT active FROM pg_replication_slots WHERE slot_name = 'slot_{name}'"
        wait_until(lambda: self.psql(slot) == "f", f"{name} to stop")

    def forget_offsets(self, name: str) -> None:
        """Delete the offsets of a connector that is stopped."""
        self._connect("DELETE", f"/connectors/{name}/offsets")

    def resume_connector(self, name: str) -> None:
        """Let a stopped connector go on."""
        self._connect("PUT", f"/connectors/{name}/resume")

    def _connect(self, method: str, path: str, body: object = None) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.state.port('connect')}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"Connect: {error.read().decode()}") from error

    def cli(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run `cdc-archive` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "cdc_archive", *arguments],
            env=self.env(settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def worker(self, log: Path, **settings: str) -> subprocess.Popen[bytes]:
        """Start `cdc-archive worker`."""
        with log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "cdc_archive", "worker"],
                env=self.env({"CDC_ARCHIVE_WORKER__HTTP_PORT": "0"} | settings),
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def env(self, settings: dict[str, str]) -> dict[str, str]:
        """The environment of a command, with these settings."""
        return os.environ | self.environment | settings


def wait_until(
    done: Callable[[], bool], what: str | Callable[[], str], seconds: float = 60
) -> None:
    """Ask again and again. A `what` that is called tells how things stand when time is up."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {seconds} s for {told}")
        time.sleep(0.2)


def stop_gracefully(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM; the exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(60)
