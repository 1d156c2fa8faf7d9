"""The port to a private key, and the check of a signature by its public key."""

from __future__ import annotations

from typing import Final, Protocol

ED25519: Final = "Ed25519"
"""RFC 8032; the signature is 64 bytes."""
ECDSA_P256: Final = "ECDSA-P256-SHA256"
"""FIPS 186-5 over P-256 with SHA-256; the signature is ASN.1 DER, as AWS KMS gives it."""


class Signer(Protocol):
    """Signs; the private key may be elsewhere.

    Attributes:
        algorithm: one of the constants here.
        public_key: SubjectPublicKeyInfo in DER.
    """

    @property
    def algorithm(self) -> str:
        """See the class."""
        ...

    @property
    def public_key(self) -> bytes:
        """See the class."""
        ...

    def sign(self, text: bytes) -> bytes:
        """The signature over a text.

        Raises:
            SigningFailed: the key cannot be used now.
        """
        ...
