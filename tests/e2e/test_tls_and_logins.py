"""TLS and logins against the real broker: right settings archive, wrong ones give one message."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.build import change
from support.independent import read_archive
from support.real_stack import RealStack, stop_gracefully, wait_until

from infra.local.certificates import KEY_PASSWORD, certificates
from infra.local.listeners import SASL_PASSWORD, SASL_USER

pytestmark = pytest.mark.e2e

T = TypeVar("T")
CLIENTS = ("kafka-python", "librdkafka")
WRONG_PASSWORD = "wr0ng-p4ssword"
CONNECT_S = 2

TLS = {"SECURITY_PROTOCOL": "SSL", "SSL_CA_FILE": "ca.pem"}
LOGIN = {
    "SECURITY_PROTOCOL": "SASL_SSL",
    "SSL_CA_FILE": "ca.pem",
    "SASL_MECHANISM": "SCRAM-SHA-512",
    "SASL_USERNAME": SASL_USER,
    "SASL_PASSWORD": SASL_PASSWORD,
}
OURS = TLS | {"SSL_CERT_FILE": "client.pem", "SSL_KEY_FILE": "client.key"}
LOCKED = OURS | {"SSL_KEY_FILE": "client-locked.key", "SSL_KEY_PASSWORD": KEY_PASSWORD}

RIGHT = {
    "TLS": ("kafka-ssl", TLS),
    "SCRAM-SHA-512": ("kafka-sasl-ssl", LOGIN),
    "SCRAM-SHA-256": ("kafka-sasl-ssl", LOGIN | {"SASL_MECHANISM": "SCRAM-SHA-256"}),
    "PLAIN": ("kafka-sasl-ssl", LOGIN | {"SASL_MECHANISM": "PLAIN"}),
    "mutual": ("kafka-mutual", OURS),
    "mutual, locked key": ("kafka-mutual", LOCKED),
}


class Wrong(NamedTuple):
    """Settings that cannot work, and the exit code and the words that they must give."""

    port: str
    settings: dict[str, str]
    says: str
    code: int = 6


PLAINTEXT = {"SECURITY_PROTOCOL": "PLAINTEXT"}
NO_TLS_LOGIN = {k: v for k, v in LOGIN.items() if k != "SSL_CA_FILE"} | {
    "SECURITY_PROTOCOL": "SASL_PLAINTEXT"
}
WRONG = {
    "wrong CA": Wrong("kafka-ssl", TLS | {"SSL_CA_FILE": "other-ca.pem"}, "kafka.ssl_ca_file"),
    "no CA": Wrong("kafka-ssl", {"SECURITY_PROTOCOL": "SSL"}, "kafka.ssl_ca_file"),
    "no PEM": Wrong("kafka-ssl", TLS | {"SSL_CA_FILE": "ca.key"}, "kafka.ssl_ca_file", 3),
    "other host": Wrong("kafka-other-host", TLS, "is of another host"),
    "expired": Wrong("kafka-expired", TLS, "has expired"),
    "wrong password": Wrong(
        "kafka-sasl-ssl", LOGIN | {"SASL_PASSWORD": WRONG_PASSWORD}, "kafka.sasl_password"
    ),
    "wrong password, PLAIN": Wrong(
        "kafka-sasl-ssl",
        LOGIN | {"SASL_MECHANISM": "PLAIN", "SASL_PASSWORD": WRONG_PASSWORD},
        "kafka.sasl_password",
    ),
    "unknown user": Wrong("kafka-sasl-ssl", LOGIN | {"SASL_USERNAME": "nobody"}, "of nobody by"),
    "no TLS to a TLS port": Wrong("kafka-ssl", PLAINTEXT, "speaks TLS"),
    "login without TLS to a TLS port": Wrong("kafka-sasl-ssl", NO_TLS_LOGIN, "speaks TLS"),
    "TLS to a port without": Wrong("kafka", TLS, "speaks no TLS"),
    "no login to a port that wants one": Wrong("kafka-sasl-ssl", TLS, "wants a login (by PLAIN, "),
    "login to a port that takes none": Wrong("kafka-ssl", LOGIN, "takes no login"),
    "no certificate of ours": Wrong("kafka-mutual", TLS, "kafka.ssl_cert_file"),
    "a certificate that the broker does not know": Wrong(
        "kafka-mutual",
        OURS | {"SSL_CERT_FILE": "other-ca.pem", "SSL_KEY_FILE": "other-ca.key"},
        "refused the certificate",
    ),
    "another's key": Wrong("kafka-mutual", OURS | {"SSL_KEY_FILE": "ca.key"}, "do not fit", 3),
    "wrong key password": Wrong(
        "kafka-mutual", LOCKED | {"SSL_KEY_PASSWORD": WRONG_PASSWORD}, "kafka.ssl_key_password", 3
    ),
    "no key password": Wrong(
        "kafka-mutual", OURS | {"SSL_KEY_FILE": "client-locked.key"}, "kafka.ssl_key_password", 3
    ),
}
SECRETS = (SASL_PASSWORD, KEY_PASSWORD, WRONG_PASSWORD)


def environment(stack: RealStack, topic: str, client: str, port: str, given: dict) -> dict:
    folder = certificates(stack.state)
    kafka = {
        "BOOTSTRAP_SERVERS": f"127.0.0.1:{stack.state.port(port)}",
        "TOPICS": topic,
        "CLIENT": client,
        "CONNECT_TIMEOUT_SECONDS": str(CONNECT_S),
        "SESSION_TIMEOUT_MS": "6000",
    }
    for name, value in given.items():
        kafka[name] = str(folder / value) if name.endswith("_FILE") else value
    return {f"CDC_ARCHIVE_KAFKA__{name}": value for name, value in kafka.items()} | {
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.3",
        "CDC_ARCHIVE_WORKER__POLL_SECONDS": "0.1",
    }


def side_by_side(work: Callable[[str, str], T], names: dict) -> dict[tuple[str, str], T]:
    """Each name with each client, four at a time: most of it is waiting."""
    pairs = [(client, name) for name in names for client in CLIENTS]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(pairs, pool.map(lambda pair: work(*pair), pairs), strict=True))


@pytest.fixture(scope="module")
def topic(stack: RealStack) -> str:
    """A topic with 20 messages, made through the open door."""
    name = f"behind-tls-{time.monotonic_ns()}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    producer = Producer({"bootstrap.servers": stack.kafka})
    for number in range(20):
        producer.produce(name, change(after={"n": number}))
    assert producer.flush(20) == 0
    return name


@pytest.fixture(scope="module")
def archived(
    stack: RealStack, topic: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], tuple[int, int, str]]:
    """For each client and right way in: messages archived, exit code, everything written."""
    folder = tmp_path_factory.mktemp("right")

    def work(client: str, name: str) -> tuple[int, int, str]:
        place = f"{client}-{name}".replace(" ", "-").replace(",", "")
        port, given = RIGHT[name]
        settings = environment(stack, topic, client, port, given) | {
            "CDC_ARCHIVE_STORE__URL": f"s3://archive/{place}",
            "CDC_ARCHIVE_KAFKA__GROUP_ID": place,
            "CDC_ARCHIVE_KAFKA__CONNECT_TIMEOUT_SECONDS": "20",
            "CDC_ARCHIVE_WORKER__LOG_LEVEL": "debug",
        }
        log = folder / place
        worker = stack.worker(log, **settings)
        try:
            wait_until(lambda: count(stack, place) >= 20, f"20 messages in {place}")
        finally:
            title = Path(f"/proc/{worker.pid}/cmdline").read_text()
            code = stop_gracefully(worker)
        return count(stack, place), code, log.read_text() + title

    return side_by_side(work, RIGHT)


def count(stack: RealStack, place: str) -> int:
    return sum(len(one) for one in read_archive(stack.s3(), "archive", place).values())


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("client", CLIENTS)
def test_with_the_right_settings_messages_are_archived(
    archived: dict, client: str, name: str
) -> None:
    """Once each, and at log level debug no password is written."""
    messages, code, written = archived[client, name]
    assert (messages, code) == (20, 0), written
    assert not [secret for secret in SECRETS if secret in written]


class Refusal(NamedTuple):
    """What a worker that could not get in left behind."""

    done: subprocess.CompletedProcess[str]
    seconds: float


@pytest.fixture(scope="module")
def refusals(stack: RealStack, topic: str) -> dict[tuple[str, str], Refusal]:
    """For each client and wrong way in."""

    def work(client: str, name: str) -> Refusal:
        wrong, begun = WRONG[name], time.monotonic()
        given = environment(stack, topic, client, wrong.port, wrong.settings)
        done = stack.cli("--verbose", "worker", **given, CDC_ARCHIVE_WORKER__HTTP_PORT="0")
        return Refusal(done, time.monotonic() - begun)

    return side_by_side(work, WRONG)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_way_in_gives_one_message(refusals: dict, client: str, name: str) -> None:
    """What is wrong, which setting; its exit code; soon; no traceback, no warning, no secret."""
    done, seconds = refusals[client, name]
    wrong = WRONG[name]
    assert done.returncode == wrong.code, done.stderr
    assert wrong.says in done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    assert not [secret for secret in SECRETS if secret in done.stderr + done.stdout]
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {line["level"] for line in logged} <= {"info"}
    assert seconds < 60  # on a busy machine; alone it is the connect timeout and two seconds more


@pytest.mark.parametrize("name", WRONG)
def test_both_clients_say_the_same(refusals: dict, name: str) -> None:
    """Word by word."""
    said = {refusals[client, name].done.stderr.partition("error: ")[2] for client in CLIENTS}
    assert len(said) == 1
