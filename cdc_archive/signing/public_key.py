"""Public keys: read from PEM, and used to check signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from cdc_archive.errors import ConfigInvalid
from cdc_archive.signing.signer import ECDSA_P256, ED25519


def is_signed(public_key: bytes, algorithm: str, text: bytes, signature: bytes) -> bool:
    """Whether a signature over a text is that of a public key.

    Args:
        public_key: SubjectPublicKeyInfo in DER.
        algorithm: of the signature; one that does not fit the key is no signature of it.
        text: what is signed.
        signature: its bytes.
    """
    if algorithm != algorithm_of(public_key):
        return False
    try:
        key = load_der_public_key(public_key)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, text)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def algorithm_of(public_key: bytes) -> str | None:
    """How a key (SubjectPublicKeyInfo in DER) signs; None: it is of no kind that signs digests."""
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ED25519
    p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return ECDSA_P256 if p256 else None


def der(key: Any) -> bytes:
    """A public key as SubjectPublicKeyInfo in DER."""
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def pem(public_key: bytes) -> str:
    """A public key (SubjectPublicKeyInfo in DER) as PEM text."""
    key = load_der_public_key(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_pem(path: Path) -> bytes:
    """The public key in a PEM file, as SubjectPublicKeyInfo in DER.

    Raises:
        ConfigInvalid: there is none, or of a kind that signs no digest.
    """
    try:
        public = der(load_pem_public_key(path.read_bytes()))
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigInvalid(
            f"{path} holds no public key in PEM",
            "It begins with -----BEGIN PUBLIC KEY-----; `cdc-archive key show` prints it.",
        ) from None
    if algorithm_of(public) is None:
        raise ConfigInvalid(f"{path}: digests are signed by Ed25519 or ECDSA P-256 keys only")
    return public
