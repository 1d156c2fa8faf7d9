"""What the stack is made of, fetched once from the package registries by their ordinary clients."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

VERSIONS_FILE = Path(__file__).parent.parent / "versions.env"
_POSTGRES_BIN = Path("/usr/lib/postgresql")


class StackError(Exception):
    """A part of the stack cannot be had or does not start; says what, with the end of its log."""


def versions() -> dict[str, str]:
    """The pinned versions by name."""
    lines = VERSIONS_FILE.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def cache() -> Path:
    """Where artifacts are kept between runs: $STACK_CACHE or ~/.cache/cdc-archive-stack."""
    given = os.environ.get("STACK_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "cdc-archive-stack"


def kafka_jars() -> Path:
    """A folder with the jars of the broker and of Kafka Connect."""
    pinned = versions()
    return _jars(
        f"kafka-{pinned['KAFKA_VERSION']}",
        ("org.apache.kafka", "kafka_2.13", pinned["KAFKA_VERSION"]),
        ("org.apache.kafka", "connect-runtime", pinned["KAFKA_VERSION"]),
        ("org.apache.kafka", "connect-json", pinned["KAFKA_VERSION"]),
        ("org.slf4j", "slf4j-simple", pinned["SLF4J_VERSION"]),
    )


def kafka_tools() -> Path:
    """A folder with the jars of Kafka's command line tools."""
    pinned = versions()
    return _jars(
        f"kafka-tools-{pinned['KAFKA_VERSION']}",
        ("org.apache.kafka", "kafka-tools", pinned["KAFKA_VERSION"]),
        ("org.slf4j", "slf4j-simple", pinned["SLF4J_VERSION"]),
    )


def iceberg_plugin() -> Path:
    """A folder with Iceberg's sink for Kafka Connect: Parquet, S3, a JDBC catalog in SQLite."""
    pinned = versions()
    parts = ("iceberg-kafka-connect", "iceberg-parquet", "iceberg-aws", "iceberg-aws-bundle")
    return _jars(
        f"iceberg-{pinned['ICEBERG_VERSION']}",
        *(("org.apache.iceberg", part, pinned["ICEBERG_VERSION"]) for part in parts),
        ("org.apache.hadoop", "hadoop-client-runtime", pinned["HADOOP_VERSION"]),
        ("org.xerial", "sqlite-jdbc", pinned["SQLITE_JDBC_VERSION"]),
    )


def _jars(name: str, *artifacts: tuple[str, str, str]) -> Path:
    """A folder with Maven artifacts and all that they need to run."""
    folder = cache() / name
    if not _complete(folder):
        folder.mkdir(parents=True, exist_ok=True)
        pom = folder / "pom.xml"
        pom.write_text(_pom(*artifacts))
        copy = ("dependency:copy-dependencies", "-DincludeScope=runtime")
        _run("mvn", "-q", "-B", "-f", pom, *copy, f"-DoutputDirectory={folder}")
        _mark(folder)
    return folder


def debezium_plugins() -> Path:
    """A plugin path with Debezium's PostgreSQL connector."""
    version = versions()["DEBEZIUM_VERSION"]
    folder = cache() / f"debezium-{version}"
    if not _complete(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _run(
            "mvn",
            "-q",
            "-B",
            "dependency:copy",
            f"-DoutputDirectory={folder}",
            f"-Dartifact=io.debezium:debezium-connector-postgres:{version}:tar.gz:plugin",
        )
        for packed in folder.glob("*.tar.gz"):
            with tarfile.open(packed) as archive:
                archive.extractall(folder, filter="data")
            packed.unlink()
        if not any(folder.rglob("debezium-connector-postgres-*.jar")):
            raise StackError(f"{folder} holds no PostgreSQL connector after unpacking it")
        _mark(folder)
    return folder


def versitygw() -> Path:
    """The S3 server's program, built from its source."""
    version = versions()["VERSITYGW_VERSION"]
    return _go_install(
        f"versitygw-{version}", f"github.com/versity/versitygw/cmd/versitygw@{version}"
    )


def toxiproxy() -> Path:
    """A proxy that delays and cuts connections, built from its source."""
    version = versions()["TOXIPROXY_VERSION"]
    return _go_install(
        f"toxiproxy-{version}", f"github.com/Shopify/toxiproxy/v2/cmd/server@{version}"
    )


def promtool() -> Path:
    """Prometheus's own checker and tester of rules, built from its source."""
    version = versions()["PROMETHEUS_VERSION"]
    return _go_install(
        f"promtool-{version}",
        f"github.com/prometheus/prometheus/cmd/promtool@{version}",
        "-tags=remove_all_sd",  # service discovery by the SDKs of all clouds is most of the build
    )


def helm() -> Path:
    """Helm, built from its source."""
    version = versions()["HELM_VERSION"]
    major = version.partition(".")[0]
    return _go_install(f"helm-{version}", f"helm.sh/helm/{major}/cmd/helm@{version}")


def built(source: Path) -> Path:
    """A Go program of this repository, built again when its source changes."""
    files = sorted(file for file in source.iterdir() if file.suffix in {".go", ".mod", ".sum"})
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    folder = cache() / f"{source.name}-{digest[:12]}"
    program = folder / source.name
    if not _complete(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _run("go", "-C", source, "build", "-o", program, ".")
        _mark(folder)
    return program


def _go_install(name: str, package: str, *flags: str) -> Path:
    folder = cache() / name
    if not _complete(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _run("go", "install", *flags, package, GOBIN=str(folder))
        _mark(folder)
    return folder / package.partition("@")[0].rpartition("/")[2]


def postgres_bin() -> Path:
    """The folder of PostgreSQL's programs; installed by apt if it is not there."""
    version = versions()["POSTGRES_VERSION"]
    folder = _POSTGRES_BIN / version / "bin"
    if not (folder / "postgres").exists():
        _apt_install(f"postgresql-{version}")
    return folder


def _apt_install(package: str) -> None:
    if os.geteuid() != 0:
        raise StackError(f"{package} is missing: apt-get install {package}")
    quietly = ("-y", "-q", "--no-install-recommends")
    _run("apt-get", "update", "-q")
    _run("apt-get", "install", *quietly, package, DEBIAN_FRONTEND="noninteractive")


def _pom(*artifacts: tuple[str, str, str]) -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, name, version in artifacts
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>local</groupId><artifactId>stack</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def _complete(folder: Path) -> bool:
    return (folder / ".complete").exists()


def _mark(folder: Path) -> None:
    (folder / ".complete").touch()


def _run(*command: str | Path, **environment: str) -> None:
    program = str(command[0])
    if shutil.which(program) is None:
        raise StackError(f"{program} is needed and not installed")
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        told = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise StackError("\n".join([f"failed: {' '.join(map(str, command))}", *told]))
