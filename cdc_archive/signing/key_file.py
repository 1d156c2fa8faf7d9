"""An Ed25519 private key in a PEM file (PKCS #8), as `openssl genpkey` makes it too."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from cdc_archive.errors import ConfigInvalid
from cdc_archive.signing.public_key import der
from cdc_archive.signing.signer import ED25519


class KeyFile:
    """See the port, signing/signer.py.

    Args:
        path: the PEM file.
        password: of the file, if it is encrypted.

    Raises:
        ConfigInvalid: no such key can be had from it.
    """

    algorithm = ED25519

    def __init__(self, path: Path, password: str | None = None) -> None:
        try:
            data = path.read_bytes()
            key = load_pem_private_key(data, None if password is None else password.encode())
        except OSError as error:
            raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from None
        except TypeError:  # a password that is missing, or given for a key that has none
            told = "is not encrypted, but a password is given" if password else "is encrypted"
            raise ConfigInvalid(
                f"the signing key {path} {told}", "See digest.key_password."
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigInvalid(
                f"{path} holds no private key in PEM, or the password is wrong",
                "`cdc-archive key new FILE` makes one.",
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigInvalid(
                f"{path} holds a key that is not Ed25519", "`cdc-archive key new FILE` makes one."
            )
        self._key = key
        self.public_key = der(key.public_key())

    def sign(self, text: bytes) -> bytes:
        """See the port."""
        return self._key.sign(text)


def make(path: Path, password: str | None = None) -> None:
    """Write a new private key to a file that only its owner can read.

    Raises:
        ConfigInvalid: the file exists, or cannot be written.
    """
    secret = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigInvalid(
            f"{path} exists already",
            "A key that signed once is not overwritten: name another file.",
        ) from None
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
