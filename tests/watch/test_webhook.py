"""Alertmanager's webhook, as a receiver of Alertmanager's messages sees it."""

from __future__ import annotations

import json
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.x509.oid import NameOID
from support.alarmed import World, condition
from support.listener import Listener, listener

from cdc_archive.errors import ConfigInvalid
from cdc_archive.watch.endpoint import Endpoint
from cdc_archive.watch.message import Message
from cdc_archive.watch.webhook import Webhook, payload

TOKEN = "hook-token-secret"
SECRETS = (TOKEN, "T0SECRETPATH", "K0SECRET")
TYPES = {
    "receiver": str,
    "status": str,
    "alerts": list,
    "groupLabels": dict,
    "commonLabels": dict,
    "commonAnnotations": dict,
    "externalURL": str,
    "version": str,
    "groupKey": str,
    "truncatedAlerts": int,
}
OF_AN_ALERT = {
    "status": str,
    "labels": dict,
    "annotations": dict,
    "startsAt": str,
    "endsAt": str,
    "generatorURL": str,
    "fingerprint": str,
}


def messages() -> list[Message]:
    """Firing; firing with a part that is over; resolved; about no service."""
    world = World()
    other = condition(kind="volume", severity="warning", summary='keys: "few" — wenige')
    world.look(condition(), other)
    world.keep(600, other)
    world.keep(600)
    world.look(*[condition("", kind=f"k{n}", type="") for n in range(103)])
    return world.sent


def sent(message: Message) -> dict[str, Any]:
    found = json.loads(json.dumps(payload(message, "https://docs.test/", "https://grafana.test/d")))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("message", messages(), ids=["firing", "part", "resolved", "none"])
def test_a_message_has_the_members_of_version_4_and_no_others(message: Message) -> None:
    """As Alertmanager documents it; what is common is what all alerts share."""
    found = sent(message)
    assert {name: type(value) for name, value in found.items()} == TYPES
    assert found["version"] == "4"
    firing = [one for one in found["alerts"] if one["status"] == "firing"]
    assert found["status"] == ("firing" if firing else "resolved")
    for one in found["alerts"]:
        assert {name: type(value) for name, value in one.items()} == OF_AN_ALERT
        assert re.fullmatch(r"[0-9a-f]{16}", one["fingerprint"])
        moments = r"(2026-02-19T\d\d:\d\d:\d\d\.\d{6}|0001-01-01T00:00:00)Z"
        assert re.fullmatch(moments, one["startsAt"])
        assert (one["endsAt"] == "0001-01-01T00:00:00Z") == (one["status"] == "firing")
        assert re.fullmatch(moments, one["endsAt"])
        assert "" not in one["labels"].values()
        assert one["labels"].items() >= found["commonLabels"].items()
        assert found["commonLabels"].items() >= found["groupLabels"].items()
        assert one["annotations"].items() >= found["commonAnnotations"].items()


def test_an_alert_says_what_is_the_matter_and_what_to_do() -> None:
    found = sent(messages()[0])
    assert found["groupKey"] == '{}:{alertname="CdcArchiveAudit", service="keys"}'
    assert found["alerts"][0]["labels"] == {
        "alertname": "CdcArchiveAudit",
        "kind": "silence",
        "type": "api_key.created",
        "service": "keys",
        "severity": "critical",
    }
    summary = "keys: 12 changes of api_key, 0 api_key.* events published"
    assert found["alerts"][0]["annotations"] == {
        "headline": f'{summary}; keys: "few" — wenige',
        "summary": summary,
        "description": "Since 2026-02-19 17:00 UTC. For example db.app.api_key[3]@1041.",
        "runbook_url": "https://docs.test/alerts.md#cdcarchiveservicesilent",
    }
    assert found["alerts"][0]["generatorURL"] == "https://grafana.test/d"


def test_an_alert_that_grows_worse_stays_the_same_incident() -> None:
    world = World()
    world.keep(20, condition(severity="warning"))
    world.keep(600, condition())
    mild, worse = (sent(one)["alerts"][0] for one in world.sent)
    assert (mild["labels"]["severity"], worse["labels"]["severity"]) == ("warning", "critical")
    assert mild["fingerprint"] == worse["fingerprint"]


def test_a_hundred_alerts_are_sent_and_the_others_counted() -> None:
    found = sent(messages()[3])
    assert (len(found["alerts"]), found["truncatedAlerts"]) == (100, 3)
    assert len({one["fingerprint"] for one in found["alerts"]}) == 100
    assert found["groupKey"] == '{}:{alertname="CdcArchiveAudit"}'


def test_it_is_posted_as_json_with_the_token(heard: Listener) -> None:
    hook = Webhook("pager", Endpoint("pager", heard.url, TOKEN))
    message = messages()[0]
    assert hook.send(message) == ""
    (came,) = heard.requests
    assert (came.method, came.path) == ("POST", "/hook/T0SECRETPATH?key=K0SECRET")
    assert came.headers["Authorization"] == f"Bearer {TOKEN}"
    assert came.headers["Content-Type"] == "application/json"
    assert json.loads(came.body) == payload(message, "docs/", "")


def test_a_message_that_is_sent_again_can_be_recognised(heard: Listener) -> None:
    """One with other news, or a reminder, is another."""
    hook = Webhook("pager", Endpoint("pager", heard.url))
    one, other, *_ = messages()
    for message in (one, one, other, one._replace(number=1)):
        hook.send(message)
    keys = [came.headers["Idempotency-Key"] for came in heard.requests]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all("Authorization" not in came.headers for came in heard.requests)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_no_redirect_is_followed(heard: Listener, status: int) -> None:
    """It would take the token elsewhere."""
    heard.status, heard.headers = status, {"Location": heard.url}
    trouble = Webhook("pager", Endpoint("pager", heard.url, TOKEN)).send(messages()[0])
    assert trouble == f"HTTP {status}, a redirect, is not followed"
    assert len(heard.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_an_answer_that_is_no_success_is_a_failure(heard: Listener, status: int) -> None:
    heard.status = status
    endpoint = Endpoint("pager", heard.url, TOKEN)
    assert Webhook("pager", endpoint).send(messages()[0]) == f"HTTP {status}"


def test_a_server_that_does_not_answer_is_given_up(heard: Listener) -> None:
    heard.hold.clear()
    trouble = Webhook("pager", Endpoint("pager", heard.url, timeout_s=0.2)).send(messages()[0])
    assert "timed out" in trouble


def test_a_server_is_known_by_its_ca_or_told_nothing(tmp_path: Path) -> None:
    """No token goes to one that nobody vouches for."""
    ca, context = certified(tmp_path)
    with listener(context) as heard:
        unknown = Webhook("pager", Endpoint("pager", heard.url, TOKEN))
        assert "CERTIFICATE_VERIFY_FAILED" in unknown.send(messages()[0])
        assert heard.requests == []
        known = Webhook("pager", Endpoint("pager", heard.url, TOKEN, str(ca)))
        assert known.send(messages()[0]) == ""
        assert heard.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that is its own CA, and a server that has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hook")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    ca, secret = folder / "ca.pem", folder / "key.pem"
    ca.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, secret)
    return ca, context


def test_no_failure_tells_a_secret(heard: Listener) -> None:
    """Nobody listens, no such host, it is no TLS, the CA is no file, it is no HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/T0SECRETPATH?key=K0SECRET"
        hooks = [
            Endpoint("pager", closed, TOKEN),
            Endpoint("pager", "http://no-such-host.invalid/T0SECRETPATH?key=K0SECRET", TOKEN),
            Endpoint("pager", heard.url.replace("http:", "https:"), TOKEN),
            Endpoint("pager", heard.url.replace("http:", "https:"), TOKEN, "/no/such/ca.pem"),
        ]
        for one in hooks:
            trouble = Webhook("pager", one).send(messages()[0])
            assert trouble
            assert not any(secret in trouble + repr(one) for secret in SECRETS)


def test_an_error_that_names_the_address_is_told_without_it(
    heard: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As urllib3's of too many tries does."""
    endpoint = Endpoint("pager", heard.url, TOKEN)

    def refuse(*_: object, **__: object) -> None:
        path = "/hook/T0SECRETPATH?key=K0SECRET"
        raise urllib3.exceptions.HTTPError(f"too many tries of {path} or {heard.url} by {TOKEN}")

    monkeypatch.setattr(endpoint._http, "request", refuse)
    assert endpoint.send("POST", b"", {}) == "too many tries of ******** or ******** by ********"


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "host:9093/K0SECRET", "https://me:K0SECRET@host/", "https:///x", "x"]
)
def test_an_address_that_cannot_be_used_is_refused_at_start(url: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        Endpoint("watch.webhook_url", url)
    assert "watch.webhook_url" in str(raised.value)
    assert "K0SECRET" not in str(raised.value)
