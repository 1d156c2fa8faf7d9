"""What is wrong with the TLS of an S3 endpoint, in words that name the setting."""

from __future__ import annotations

import ssl
from typing import Final

from urllib3.util.ssl_match_hostname import CertificateError

_DATES: Final = {9: "is not valid yet", 10: "has expired"}
_OTHER_NAME: Final = frozenset({62, 64})  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})


def tls_trouble(endpoint: str, error: BaseException) -> tuple[str, str] | None:
    """What is the case and what to do about it; None if only a connection broke off."""
    cause = _openssl(error)
    certificate = f"the certificate of {endpoint}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _DATES:
            return (
                f"{certificate} {_DATES[cause.verify_code]}",
                "Renew the store's certificate, or set this machine's clock right.",
            )
        if cause.verify_code in _OTHER_NAME:
            return _of_another_host(certificate, cause.verify_message)
        return (
            f"{certificate} is signed by no authority that is known here: {cause.verify_message}",
            "Set store.ca_file to the CA of the store's certificate.",
        )
    if isinstance(cause, CertificateError):
        return _of_another_host(certificate, str(cause))
    if getattr(cause, "reason", None) in _NO_TLS:
        return (
            f"{endpoint} speaks no TLS",
            "Set store.endpoint_url to its port with TLS.",
        )
    return None


def _of_another_host(certificate: str, why: str) -> tuple[str, str]:
    return (
        f"{certificate} is of another host: {why}",
        "Set store.endpoint_url to a name that stands in the certificate.",
    )


def _openssl(error: BaseException) -> BaseException | None:
    """The error of OpenSSL inside those of botocore and urllib3."""
    seen: BaseException | None = getattr(error, "kwargs", {}).get("error", error)
    for _ in range(10):
        if seen is None or isinstance(seen, ssl.SSLError | CertificateError):
            break
        inner = [one for one in (*seen.args, getattr(seen, "reason", None)) if _is_error(one)]
        seen = inner[0] if inner else seen.__cause__ or seen.__context__
    return seen


def _is_error(value: object) -> bool:
    return isinstance(value, BaseException)
