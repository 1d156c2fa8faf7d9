"""Kafka Connect in one process, set up as Kafka's own scripts do, with one connector at a time."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from bench.watched import free_port
from infra.local.artifacts import kafka_jars

HEAP = ("-Xms256M", "-Xmx2G")
"""As bin/connect-standalone.sh gives it; the flags below are those of bin/kafka-run-class.sh."""
_FLAGS = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)
_TOLD = ("org.apache.kafka.clients.consumer", "org.apache.iceberg.connect")
_PATIENCE_S = 120


class Connect:
    """A running Connect.

    Args:
        servers: of the broker.
        plugin: a folder of jars.
        folder: for its files; `log` is in it.

    Raises:
        AssertionError: it does not start, with the end of its log.
    """

    def __init__(self, servers: str, plugin: Path, folder: Path) -> None:
        folder.mkdir()
        self.log = folder / "log"
        self._url = f"http://127.0.0.1:{free_port()}"
        (folder / "plugins").mkdir()
        (folder / "plugins" / plugin.name).symlink_to(plugin)
        properties = folder / "connect.properties"
        properties.write_text(worker(servers, self._url, folder))
        loggers = [f"-Dorg.slf4j.simpleLogger.log.{name}=info" for name in _TOLD]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        java = ["java", *HEAP, *_FLAGS, quiet, *loggers, "-cp", f"{kafka_jars()}/*"]
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*java, main, str(properties)], stdout=out, stderr=out, cwd=folder
            )
        self._wait("connectors")

    def add(self, name: str, config: Mapping[str, str]) -> None:
        """Start a connector; returns when partitions were assigned to it."""
        seen = self.log.stat().st_size
        self._ask("POST", "connectors", {"name": name, "config": dict(config)})
        deadline = time.monotonic() + _PATIENCE_S
        while b"newly assigned partitions: " not in self.log.read_bytes()[seen:]:
            assert time.monotonic() < deadline, self.told()
            self.checked()
            time.sleep(0.02)

    def remove(self, name: str) -> None:
        """End a connector."""
        self._ask("DELETE", f"connectors/{name}")

    def checked(self) -> bool:
        """True, or AssertionError if it ended or a task failed."""
        assert self.process.poll() is None, self.told()
        assert b"Task threw an uncaught and unrecoverable" not in self.log.read_bytes(), self.told()
        return True

    def told(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]

    def end(self) -> None:
        """Stop the process."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._ask("GET", path)
            except OSError:
                assert self.process.poll() is None, self.told()
                assert time.monotonic() < deadline, self.told()
                time.sleep(0.1)
            else:
                return

    def _ask(self, method: str, path: str, body: object = None) -> None:
        request = urllib.request.Request(
            f"{self._url}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=60).close()


def worker(servers: str, url: str, folder: Path) -> str:
    """connect.properties; everything that is not named here is at its default."""
    given = {
        "bootstrap.servers": servers,
        "listeners": url,
        # Keys and headers are not stored by the sink: passed on as bytes they cost it the least.
        "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "header.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "offset.storage.file.filename": str(folder / "offsets"),
        "plugin.path": str(folder / "plugins"),
        "plugin.discovery": "service_load",
        "consumer.auto.offset.reset": "earliest",
        # A sink is called at least so often when no messages come, so this ends the run.
        "offset.flush.interval.ms": "5000",
    }
    return "".join(f"{name}={value}\n" for name, value in given.items())
