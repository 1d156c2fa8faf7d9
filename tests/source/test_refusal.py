"""A broker that lets nobody in: what is wrong is told by setting, by both clients alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_broker import fake_broker
from support.listening import Listener

from cdc_archive.errors import ConfigInvalid, SourceDenied
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.refusal import why_refused
from cdc_archive.source.tls_files import require_usable_files

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_username": "me",
    "sasl_password": "p",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A broker without TLS that offers every login and refuses each."""
    with fake_broker() as found:
        yield found


def options(address: str, **given: object) -> KafkaOptions:
    defaults = {"connect_timeout_s": 1.0, "api_version": (2, 3)}
    return KafkaOptions((address,), "g", ("t",), **(defaults | given))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (LOGIN, r"refused the login of me by SCRAM-SHA-256[\s\S]*kafka\.sasl_password"),
        (LOGIN | {"sasl_mechanism": "PLAIN"}, "refused the login of me by PLAIN"),
        ({}, "wants a login .by PLAIN, SCRAM-SHA-256, SCRAM-SHA-512."),
    ],
)
@pytest.mark.parametrize("client", [KafkaSource, LibrdkafkaSource])
def test_the_setting_is_named(address: str, client: type, given: dict, says: str) -> None:
    """Soon, though the client itself would try on and on."""
    source = client(options(address, **given))
    begun = time.monotonic()
    with pytest.raises(SourceDenied, match=says):
        source.open(Listener())
    assert time.monotonic() - begun < 40
    source.close()


@pytest.mark.parametrize("given", [{}, LOGIN])
def test_tls_to_a_port_without_is_told(address: str, given: dict) -> None:
    """Asked of the probe alone: kafka-python leaves a socket open whose handshake failed."""
    protocol = "SASL_SSL" if given else "SSL"
    told = why_refused(options(address, **(given | {"security_protocol": protocol})))
    assert isinstance(told, SourceDenied)
    assert f"speaks no TLS, and kafka.security_protocol is {protocol}" in told.what


@pytest.mark.parametrize("key", ["ssl_ca_file", "ssl_cert_file"])
@pytest.mark.parametrize("client", [KafkaSource, LibrdkafkaSource])
def test_a_file_that_is_no_pem_is_told_before_anything_is_tried(
    tmp_path: Path, client: type, key: str
) -> None:
    """By setting and file."""
    (tmp_path / "no.pem").write_text("no certificate")
    files = {key: str(tmp_path / "no.pem")}
    if key == "ssl_cert_file":
        files["ssl_key_file"] = files[key]
    source = client(options("127.0.0.1:9", security_protocol="SSL", **files))
    with pytest.raises(ConfigInvalid, match=rf"kafka\.{key}[\s\S]*no\.pem"):
        source.open(Listener())
    source.close()


def test_files_matter_with_tls_only(tmp_path: Path) -> None:
    """Without TLS none is read."""
    require_usable_files(options("127.0.0.1:9", ssl_ca_file=str(tmp_path / "missing")))


def test_a_server_that_is_not_there_refuses_nothing() -> None:
    """That is for others to tell."""
    assert why_refused(options("127.0.0.1:9", **LOGIN)) is None
