"""Why a broker does not let us in, in words that name the setting: the clients' words do not.

Asked after a client has failed: one connection to each server, as the client would make it (TCP,
TLS, one request that a broker answers before a login), and what goes wrong there is told.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import closing
from typing import Final

from kafka.net.sasl import get_sasl_mechanism

from cdc_archive.errors import CdcArchiveError, SourceDenied
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.tls_files import context, reason

_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 10.0
_LARGEST_ANSWER: Final = 65_536
_HANDSHAKE, _AUTHENTICATE = 17, 36  # Kafka's API keys, both in version 0 or 1 since Kafka 1.0
_ILLEGAL_STATE, _UNSUPPORTED_MECHANISM = 34, 33  # its error codes
_DATES: Final = {9: "is not valid yet", 10: "has expired"}
_OTHER_NAME: Final = frozenset({62, 64})  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_


def why_refused(options: KafkaOptions) -> CdcArchiveError | None:
    """What is wrong with the way in to the first server that shows it; None if nothing shows."""
    for server in options.bootstrap_servers:
        try:
            found = _look(options, server)
        except (OSError, ValueError, struct.error):
            continue
        if found is not None:
            return found
    return None


def login_refused(options: KafkaOptions, where: str) -> SourceDenied:
    """The broker knows the mechanism and not the user, or the password is another."""
    return SourceDenied(
        f"Kafka at {where} refused the login of {options.sasl_username} by "
        f"{options.sasl_mechanism}: the user or the password is wrong",
        "Check kafka.sasl_username and kafka.sasl_password, and that the broker has this user for "
        "this mechanism.",
    )


def _look(options: KafkaOptions, server: str) -> CdcArchiveError | None:
    host, protocol = server.rpartition(":")[0], options.security_protocol
    with _connected(server) as plain:
        if not protocol.endswith("SSL"):
            return _ask(plain, options, server) if _is_plain(server) else _speaks_tls(server)
        try:
            secured = context(options).wrap_socket(plain, server_hostname=host.strip("[]"))
        except ssl.SSLCertVerificationError as error:
            return _untrusted(options, server, error)
        except OSError as error:
            if _is_plain(server):
                return _speaks_no_tls(options, server)
            return _refused_by_tls(options, server, error)
        with closing(secured):
            try:
                return _ask(secured, options, server)
            except ssl.SSLError as error:  # with TLS 1.3 it comes after the handshake
                return _refused_by_tls(options, server, error)


def _connected(server: str) -> socket.socket:
    host, _, port = server.rpartition(":")
    made = socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S)
    made.settimeout(_ANSWER_S)
    return made


def _ask(channel: socket.socket, options: KafkaOptions, server: str) -> CdcArchiveError | None:
    """SaslHandshake: a broker answers it before a login, and whether or not it wants one."""
    mechanism = (options.sasl_mechanism or "PLAIN").encode()
    answer = _request(channel, _HANDSHAKE, 1, struct.pack(">h", len(mechanism)) + mechanism)
    (code,) = struct.unpack_from(">h", answer)
    wants_login = code != _ILLEGAL_STATE
    if wants_login != options.security_protocol.startswith("SASL_"):
        return _login_or_none(options, server, _mechanisms(answer) if wants_login else [])
    if code == _UNSUPPORTED_MECHANISM:
        return SourceDenied(
            f"Kafka at {server} has no login by {options.sasl_mechanism}; "
            f"it has {', '.join(_mechanisms(answer))}",
            "Set kafka.sasl_mechanism to one of these.",
        )
    return _log_in(channel, options, server) if wants_login else None


def _log_in(channel: socket.socket, options: KafkaOptions, server: str) -> CdcArchiveError | None:
    mechanism = get_sasl_mechanism(options.sasl_mechanism)(
        sasl_mechanism=options.sasl_mechanism,
        sasl_plain_username=options.sasl_username,
        sasl_plain_password=options.sasl_password,
    )
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        answer = _request(channel, _AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        code, told = struct.unpack_from(">hh", answer)
        if code != 0:
            return login_refused(options, server)
        at = 4 + max(told, 0)
        (size,) = struct.unpack_from(">i", answer, at)
        mechanism.receive(answer[at + 4 : at + 4 + size])
    return None


def _request(channel: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """One request and the body of its answer. Raises OSError if the broker hangs up."""
    client = b"cdc-archive"
    head = struct.pack(">hhih", api, version, 1, len(client)) + client
    channel.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    size, number = struct.unpack(">ii", _receive(channel, 8))
    if number != 1 or size > _LARGEST_ANSWER:
        raise ConnectionError("no answer of a Kafka broker")
    return _receive(channel, size - 4)


def _receive(channel: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = channel.recv(size - len(received))
        if not part:
            raise ConnectionError("hung up")
        received += part
    return received


def _mechanisms(answer: bytes) -> list[str]:
    (count,) = struct.unpack_from(">i", answer, 2)
    names, at = [], 6
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        names.append(answer[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return sorted(names)


def _is_plain(server: str) -> bool:
    """Whether the port answers Kafka's protocol without TLS."""
    try:
        with _connected(server) as plain:
            _request(plain, _HANDSHAKE, 1, struct.pack(">h", 5) + b"PLAIN")
    except OSError:
        return False
    return True


def _speaks_tls(server: str) -> CdcArchiveError | None:
    """For a port that is silent without TLS: told only if it does shake hands. Nothing is sent."""
    host = server.rpartition(":")[0]
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with _connected(server) as plain:
        try:
            anyone.wrap_socket(plain, server_hostname=host.strip("[]")).close()
        except OSError:
            return None
    return SourceDenied(
        f"Kafka at {server} speaks TLS, and kafka.security_protocol is one without",
        "Set kafka.security_protocol to SSL, or to SASL_SSL if it wants a login.",
    )


def _speaks_no_tls(options: KafkaOptions, server: str) -> CdcArchiveError:
    without = "SASL_PLAINTEXT" if options.security_protocol == "SASL_SSL" else "PLAINTEXT"
    return SourceDenied(
        f"Kafka at {server} speaks no TLS, and kafka.security_protocol is "
        f"{options.security_protocol}",
        f"Set kafka.bootstrap_servers to its port with TLS, or kafka.security_protocol to {without}"
        " (which anyone on the way can read).",
    )


def _login_or_none(options: KafkaOptions, server: str, mechanisms: list[str]) -> CdcArchiveError:
    tls = "SSL" if options.security_protocol.endswith("SSL") else "PLAINTEXT"
    if mechanisms:
        return SourceDenied(
            f"Kafka at {server} wants a login (by {', '.join(mechanisms)}), and "
            f"kafka.security_protocol is {options.security_protocol}",
            f"Set kafka.security_protocol to SASL_{tls}, and kafka.sasl_mechanism, "
            "kafka.sasl_username and kafka.sasl_password.",
        )
    return SourceDenied(
        f"Kafka at {server} takes no login, and kafka.security_protocol is "
        f"{options.security_protocol}",
        f"Set kafka.security_protocol to {tls} and leave kafka.sasl_* out, or use the port with a "
        "login.",
    )


def _untrusted(
    options: KafkaOptions, server: str, error: ssl.SSLCertVerificationError
) -> CdcArchiveError:
    certificate = f"the certificate of Kafka at {server}"
    if error.verify_code in _DATES:
        return SourceDenied(
            f"{certificate} {_DATES[error.verify_code]}",
            "Renew the broker's certificate, or set this machine's clock right.",
        )
    if error.verify_code in _OTHER_NAME:
        return SourceDenied(
            f"{certificate} is of another host: {error.verify_message}",
            "Set kafka.bootstrap_servers to a name that stands in the certificate, or have this "
            "one put into it.",
        )
    known = f"in {options.ssl_ca_file}" if options.ssl_ca_file else "known to this system"
    return SourceDenied(
        f"{certificate} is signed by no authority that is {known}: {error.verify_message}",
        "Set kafka.ssl_ca_file to the CA of the broker's certificate.",
    )


def _refused_by_tls(options: KafkaOptions, server: str, error: OSError) -> CdcArchiveError:
    why = reason(error)
    if options.ssl_cert_file is not None:
        return SourceDenied(
            f"Kafka at {server} refused the certificate {options.ssl_cert_file} ({why})",
            "Set kafka.ssl_cert_file and kafka.ssl_key_file to one that the broker trusts.",
        )
    if "certificate" in why:
        return SourceDenied(
            f"Kafka at {server} wants a certificate of ours ({why})",
            "Set kafka.ssl_cert_file and kafka.ssl_key_file.",
        )
    return SourceDenied(f"Kafka at {server} broke off the TLS handshake ({why})")
