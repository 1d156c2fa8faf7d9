"""The certificates and the key of the settings: usable, or told by setting and file."""

from __future__ import annotations

import ssl

from cdc_archive.errors import ConfigInvalid
from cdc_archive.source.options import KafkaOptions


def require_usable_files(options: KafkaOptions) -> None:
    """Load the files as a client would. Raises as `context`."""
    if options.security_protocol.endswith("SSL"):
        context(options)


def context(options: KafkaOptions) -> ssl.SSLContext:
    """What the settings trust and show, loaded; a terminal is never asked for a password.

    Raises:
        ConfigInvalid: a file is not what its setting says.
    """
    made = ssl.create_default_context()
    if options.ssl_ca_file is not None:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            made.load_verify_locations(options.ssl_ca_file)
        except OSError as error:
            raise ConfigInvalid(
                f"kafka.ssl_ca_file {options.ssl_ca_file} holds no CA: {reason(error)}",
                "Set it to the certificate of the broker's CA, in PEM form.",
            ) from None
    if options.ssl_cert_file is not None:
        _load_ours(made, options)
    return made


def _load_ours(made: ssl.SSLContext, options: KafkaOptions) -> None:
    asked = False

    def password() -> str:
        nonlocal asked
        asked = True
        return options.ssl_key_password or ""

    assert options.ssl_cert_file is not None
    try:
        made.load_cert_chain(options.ssl_cert_file, options.ssl_key_file, password)
    except (OSError, ValueError) as error:
        files = f"{options.ssl_key_file} (key) and {options.ssl_cert_file} (certificate)"
        if asked:
            given = "does not open" if options.ssl_key_password else "is not set and has to open"
            raise ConfigInvalid(
                f"kafka.ssl_key_password {given} kafka.ssl_key_file {options.ssl_key_file}",
                "Set it to the password that the key was locked with.",
            ) from None
        why = reason(error) if isinstance(error, OSError) else "not usable"
        raise ConfigInvalid(
            f"kafka.ssl_key_file and kafka.ssl_cert_file do not fit: {files}: {why}",
            "Set them to a certificate and to the key that was made for it, in PEM form.",
        ) from None


def reason(error: OSError) -> str:
    """OpenSSL's name for an alert, without its source line."""
    return str(getattr(error, "reason", None) or error.strerror or error).replace("_", " ").lower()
