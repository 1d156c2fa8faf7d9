"""A worker, its libraries and its errors write no secret anywhere, at log level debug."""

from __future__ import annotations

import io
import logging
import signal
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import structlog
from moto.server import ThreadedMotoServer
from secrecy.conftest import Planted, bare_environment
from support.build import changes
from support.fake_broker import fake_broker
from support.listening import Listener
from support.mock_broker import mock_broker

from cdc_archive.config.load import variable
from cdc_archive.errors import SourceDenied
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.options import KafkaOptions
from cdc_archive.storage.s3 import S3Options, S3Store, client
from cdc_archive.telemetry import logs

STORE_SECRETS = ("store.secret_access_key", "store.session_token")


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """moto, which takes any credentials."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    plain = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **_anyone())
    plain.create_bucket(Bucket="archive")
    plain.close()
    yield url
    server.stop()


def _anyone() -> dict[str, str]:
    return {"aws_access_key_id": "x", "aws_secret_access_key": "x"}


@pytest.mark.parametrize("library", ["kafka-python", "librdkafka"])
def test_a_worker_shows_none_in_all_that_it_leaves(
    s3_url: str, planted_secrets: Planted, tmp_path: Path, library: str
) -> None:
    """Output, logs, HTTP answers, command line, title, its folder, and every archived object."""
    with mock_broker() as broker:
        topic = broker.topic()
        broker.produce(one._replace(topic=topic) for one in changes(50))
        given = planted_secrets.environ(*STORE_SECRETS) | {
            variable("store.url"): f"s3://archive/{topic}",
            variable("store.endpoint_url"): s3_url,
            variable("store.region"): "us-east-1",
            variable("store.access_key_id"): "AKIA",
            variable("kafka.bootstrap_servers"): broker.servers,
            variable("kafka.topics"): topic,
            variable("kafka.client"): library,
            variable("kafka.api_version"): "2.3",
            variable("kafka.session_timeout_ms"): "6000",  # a join that failed is soon forgotten
            variable("archive.commit_age_seconds"): "0.2",
            variable("worker.http_port"): "0",
            variable("worker.log_level"): "debug",
        }
        log = tmp_path / "log"
        with log.open("wb") as out:
            worker = subprocess.Popen(
                [sys.executable, "-m", "cdc_archive", "--verbose", "worker"],
                env=bare_environment() | given,
                cwd=tmp_path,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_for(log, b'"committed"', worker)
            address = _listening(log)
            answers = [_get(address + path) for path in ("/metrics", "/healthz", "/readyz", "/x")]
            process = Path(f"/proc/{worker.pid}")
            titles = [(process / name).read_bytes() for name in ("cmdline", "comm")]
        finally:
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(30)
    assert code == 0, log.read_text()
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    objects = _objects(s3_url, topic)
    assert len(objects) > 2
    assert planted_secrets.found_in(*files, *answers, *titles, *objects) == []


def _wait_for(log: Path, word: bytes, worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 40
    while word not in log.read_bytes():
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _listening(log: Path) -> str:
    return log.read_text().split('"address": "')[1].split("/metrics")[0]


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read() + str(answer.headers).encode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read()


def _objects(url: str, prefix: str) -> list[bytes]:
    s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **_anyone())
    found = s3.list_objects_v2(Bucket="archive", Prefix=prefix)["Contents"]
    bodies = [
        (one["Key"].encode(), s3.get_object(Bucket="archive", Key=one["Key"])) for one in found
    ]
    out = [
        key + answer["Body"].read() + repr(answer["Metadata"]).encode() for key, answer in bodies
    ]
    s3.close()
    return out


@pytest.fixture
def everything(planted_secrets: Planted) -> Iterator[io.StringIO]:
    """All that any logger says, the libraries' at debug level, as it would be written."""
    root, names = logging.getLogger(), ("kafka", "botocore", "boto3", "urllib3", "cdc_archive")
    before = root.handlers[:], root.level, [logging.getLogger(name).level for name in names]
    stream = io.StringIO()
    logs.configure("debug", "json", planted_secrets.values.values(), stream)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.handlers, root.level = before[:2]
    for name, level in zip(names, before[2], strict=True):
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


def test_botocore_at_debug_level_shows_none(
    s3_url: str, planted_secrets: Planted, everything: io.StringIO
) -> None:
    """It logs each request with its headers, and the session token is one of them."""
    options = S3Options(
        s3_url,
        "us-east-1",
        "AKIA",
        planted_secrets.values["store.secret_access_key"],
        planted_secrets.values["store.session_token"],
        path_style=True,
    )
    store = S3Store(client(options), "archive", "debug")
    store.create("k", b"1")
    store.close()
    said = everything.getvalue()
    assert "X-Amz-Security-Token" in said
    assert planted_secrets.found_in(said) == []


@pytest.mark.parametrize("source", [KafkaSource, LibrdkafkaSource])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_login_shows_none_though_the_broker_repeats_it(
    planted_secrets: Planted, everything: io.StringIO, source: type, mechanism: str
) -> None:
    """Neither the error and all its causes nor the client's logs at debug level."""
    with fake_broker() as address:
        options = KafkaOptions(
            (address,),
            "g",
            ("t",),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=mechanism,
            sasl_username="me",
            sasl_password=planted_secrets.values["kafka.sasl_password"],
            connect_timeout_s=1.0,
            api_version=(2, 3),
        )
        made = source(options)
        with pytest.raises(SourceDenied, match=r"kafka\.sasl_password") as caught:
            made.open(Listener())
        made.close()
    chain: BaseException | None = caught.value
    told = [everything.getvalue(), repr(options)]
    while chain is not None:
        told += [str(chain), repr(chain), *traceback.format_exception(chain)]
        chain = chain.__cause__ or chain.__context__
    assert planted_secrets.found_in(*told) == []


def test_a_worker_that_is_refused_tells_none(planted_secrets: Planted, tmp_path: Path) -> None:
    """One message on stderr, with the exit code of a refusal."""
    (tmp_path / "archive").mkdir()
    with fake_broker() as address:
        given = planted_secrets.environ("kafka.sasl_password") | {
            variable("store.url"): str(tmp_path / "archive"),
            variable("kafka.bootstrap_servers"): address,
            variable("kafka.topics"): "t",
            variable("kafka.api_version"): "2.3",
            variable("kafka.security_protocol"): "SASL_PLAINTEXT",
            variable("kafka.sasl_mechanism"): "PLAIN",
            variable("kafka.sasl_username"): "me",
            variable("kafka.connect_timeout_seconds"): "1",
            variable("worker.http_port"): "-1",
            variable("worker.log_level"): "debug",
        }
        done = subprocess.run(
            [sys.executable, "-m", "cdc_archive", "--verbose", "worker"],
            env=bare_environment() | given,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 6, done.stderr.decode()
    assert done.stderr.count(b"error: ") == 1
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert planted_secrets.found_in(done.stdout, done.stderr, *files) == []
