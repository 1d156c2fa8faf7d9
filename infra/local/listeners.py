"""The broker's doors: open, with a login, with TLS, and TLS that a client must refuse."""

from __future__ import annotations

from infra.local.certificates import certificates
from infra.local.processes import StateFolder

SASL_USER, SASL_PASSWORD = "worker", "worker-password"
_MODULE = "org.apache.kafka.common.security"

LISTENERS = {
    # name: (port's name, protocol, certificate)
    "PLAINTEXT": ("kafka", "PLAINTEXT", None),
    "SASL_PLAINTEXT": ("kafka-sasl", "SASL_PLAINTEXT", None),
    "SSL": ("kafka-ssl", "SSL", "server"),
    "SASL_SSL": ("kafka-sasl-ssl", "SASL_SSL", "server"),
    "MUTUAL": ("kafka-mutual", "SSL", "server"),
    "OTHERHOST": ("kafka-other-host", "SSL", "other-host"),
    "EXPIRED": ("kafka-expired", "SSL", "expired"),
    "PROXIED": ("kafka-proxied", "PLAINTEXT", None),
}
"""SASL_PLAINTEXT has no SCRAM, MUTUAL wants a client's certificate, OTHERHOST and EXPIRED are not
to be trusted; who came to PROXIED by its proxy is sent back to that, not past it."""

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


def properties(state: StateFolder) -> dict[str, str]:
    """The part of server.properties that is about listeners."""
    addresses = {
        name: f"{name}://127.0.0.1:{state.port(port)}" for name, (port, *_) in LISTENERS.items()
    }
    advertised = addresses | {"PROXIED": f"PROXIED://127.0.0.1:{state.port('kafka-proxy')}"}
    controller = f"CONTROLLER://127.0.0.1:{state.port('kafka-controller')}"
    protocols = {name: protocol for name, (_, protocol, _) in LISTENERS.items()}
    found = {
        "listeners": ",".join([*addresses.values(), controller]),
        "advertised.listeners": ",".join(advertised.values()),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        )
        + ",CONTROLLER:PLAINTEXT",
        "listener.name.mutual.ssl.client.auth": "required",
    }
    for name, (_, protocol, certificate) in LISTENERS.items():
        if certificate is not None:
            found |= _tls(state, name, certificate)
        if protocol.startswith("SASL_"):
            found |= _logins(name, () if protocol == "SASL_PLAINTEXT" else SCRAM)
    return found


def users() -> list[str]:
    """Arguments for Kafka's StorageTool that make the user of the SCRAM mechanisms."""
    account = f"[name={SASL_USER},password={SASL_PASSWORD}]"
    return [part for one in SCRAM for part in ("--add-scram", f"{one}={account}")]


def _tls(state: StateFolder, listener: str, certificate: str) -> dict[str, str]:
    folder, prefix = certificates(state), f"listener.name.{listener.lower()}.ssl"
    return {
        f"{prefix}.keystore.type": "PEM",
        f"{prefix}.keystore.location": str(folder / f"{certificate}.pem"),
        f"{prefix}.truststore.type": "PEM",
        f"{prefix}.truststore.location": str(folder / "ca.pem"),
    }


def _logins(listener: str, scram: tuple[str, ...]) -> dict[str, str]:
    prefix = f"listener.name.{listener.lower()}"
    found = {
        f"{prefix}.sasl.enabled.mechanisms": ",".join(["PLAIN", *scram]),
        f"{prefix}.plain.sasl.jaas.config": (
            f'{_MODULE}.plain.PlainLoginModule required user_{SASL_USER}="{SASL_PASSWORD}";'
        ),
    }
    for mechanism in scram:
        found[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = (
            f"{_MODULE}.scram.ScramLoginModule required;"
        )
    return found
