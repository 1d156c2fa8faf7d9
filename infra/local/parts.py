"""The parts of the stack: how each is configured, started, and known to be ready."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.local import artifacts, listeners
from infra.local.processes import StateFolder, answers

BUCKET = "archive"
PREFIX = "demo"
ACCESS_KEY, SECRET_KEY = "local-access", "local-secret"
SASL_USER, SASL_PASSWORD = listeners.SASL_USER, listeners.SASL_PASSWORD
DATABASE = "lab"
_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
_JVM = (
    "java",
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def kafka(state: StateFolder) -> None:
    """A broker that is its own controller (KRaft)."""
    port, controller = state.port("kafka"), state.port("kafka-controller")
    folder, jars = state.folder("kafka"), artifacts.kafka_jars()
    properties = folder / "server.properties"
    _properties(
        properties,
        {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(folder / "data"),
            "num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # Old event times with a time-based retention would be deleted without a word.
            "log.retention.ms": "-1",
        }
        | listeners.properties(state),
    )
    java = (*_JVM, "-cp", f"{jars}/*")
    if not (folder / "data" / "meta.properties").exists():
        tool: list[str | Path] = [*java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER]
        _once([*tool, "-c", properties, *listeners.users()])
    state.start("kafka", [*java, "kafka.Kafka", properties], lambda: answers(port))


def s3(state: StateFolder) -> None:
    """An S3 server over a folder; a bucket is a folder in it."""
    port, folder = state.port("s3"), state.folder("s3")
    (folder / BUCKET).mkdir(exist_ok=True)
    beside = state.folder("objects-metadata")
    listen = ("--port", f"127.0.0.1:{port}", "--quiet")
    state.start(
        "s3",
        [artifacts.versitygw(), *listen, "posix", "--sidecar", beside, folder],
        lambda: answers(port),
        {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
    )


def toxiproxy(state: StateFolder) -> None:
    """A proxy for the tests of faults, told by HTTP what to stand between and how to misbehave."""
    port = state.port("toxiproxy")
    command: list[str | Path] = [artifacts.toxiproxy(), "-host", "127.0.0.1", "-port", str(port)]
    state.start("toxiproxy", command, lambda: answers(port), {"LOG_LEVEL": "error"})


def postgres(state: StateFolder) -> None:
    """A database with logical decoding, trusting whoever comes over the loopback."""
    port, programs = state.port("postgres"), artifacts.postgres_bin()
    data = postgres_data(state)
    as_user = _as_postgres(data)
    if not (data / "PG_VERSION").exists():
        how = ("-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
        _once([*as_user, programs / "initdb", "-D", data, *how])
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "wal_level": "logical",
        "fsync": "off",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    state.start(
        "postgres",
        [*as_user, programs / "postgres", "-D", data, *options],
        lambda: subprocess.run(ready, check=False).returncode == 0,
    )
    if not psql(state, f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", "postgres"):
        psql(state, f"CREATE DATABASE {DATABASE}", "postgres")
        for file in sorted((Path(__file__).parent / "sql").glob("*.sql")):
            psql(state, file.read_text())


def postgres_data(state: StateFolder) -> Path:
    """Where the database lies. Root gives it to the user postgres, who must be able to reach it."""
    if os.geteuid() != 0:
        return state.folder("postgres")
    name = hashlib.sha256(str(state.root).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"cdc-archive-postgres-{name}"


def _as_postgres(data: Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    data.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return []
    shutil.chown(data, "postgres", "postgres")
    data.chmod(0o700)
    return ["runuser", "-u", "postgres", "--"]


def psql(state: StateFolder, sql: str, database: str = DATABASE) -> str:
    """Run SQL, every statement in its own transaction unless it says otherwise; unaligned rows."""
    where = ("-h", "127.0.0.1", "-p", str(state.port("postgres")), "-U", "postgres", "-d", database)
    how = ("-v", "ON_ERROR_STOP=1", "-X", "-q", "-A", "-t", "-f", "-")
    done = subprocess.run(
        [str(artifacts.postgres_bin() / "psql"), *where, *how],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode != 0:
        raise artifacts.StackError(f"psql: {done.stderr.strip()}")
    return done.stdout.strip()


def connect(state: StateFolder) -> None:
    """Kafka Connect in one process, with Debezium's PostgreSQL connector to be had."""
    port, folder = state.port("connect"), state.folder("connect")
    properties = folder / "connect.properties"
    _properties(
        properties,
        {
            "bootstrap.servers": f"127.0.0.1:{state.port('kafka')}",
            "listeners": f"http://127.0.0.1:{port}",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false",
            "value.converter.schemas.enable": "false",
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": "1000",
            "plugin.path": str(artifacts.debezium_plugins()),
            "plugin.discovery": "service_load",
        },
    )
    jars = artifacts.kafka_jars()
    main = "org.apache.kafka.connect.cli.ConnectStandalone"
    state.start(
        "connect",
        [*_JVM, "-cp", f"{jars}/*", main, properties],
        lambda: _get(f"http://127.0.0.1:{port}/connectors"),
    )


def _get(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:
        json.load(answer)
        return True


def _properties(path: Path, values: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def _once(command: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode != 0:
        raise artifacts.StackError(f"failed: {command}\n{done.stdout}{done.stderr}")


PARTS: dict[str, Callable[[StateFolder], None]] = {
    "kafka": kafka,
    "postgres": postgres,
    "s3": s3,
    "connect": connect,
}
"""In the order in which they start."""

ON_DEMAND: dict[str, Callable[[StateFolder], None]] = {"toxiproxy": toxiproxy}
"""Started only when named, stopped with the rest."""
