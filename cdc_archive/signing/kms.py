"""A private key in AWS KMS: it never leaves it, and CloudTrail tells of every use."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cdc_archive.errors import ConfigInvalid, SigningFailed
from cdc_archive.signing.public_key import algorithm_of
from cdc_archive.signing.signer import ECDSA_P256, ED25519

_SIGNING: Final = {ECDSA_P256: "ECDSA_SHA_256", ED25519: "ED25519_SHA_512"}
"""What KMS calls our algorithms (its API reference, Sign)."""


def client(
    region: str | None, access_key: str | None, secret: str | None, token: str | None
) -> Any:
    """boto3's KMS client; what is None it finds itself."""
    import boto3

    try:
        return boto3.client(
            "kms",
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
    except BotoCoreError as error:
        raise ConfigInvalid(f"digest.kms_key_id: {error}", "Set store.region.") from None


class KmsKey:
    """See the port, signing/signer.py.

    Args:
        client: boto3's KMS client.
        key: id, ARN or alias of an asymmetric key for signing.

    Raises:
        ConfigInvalid: the key is of another kind.
        SigningFailed: KMS refuses or does not answer.
    """

    def __init__(self, client: Any, key: str) -> None:
        self._client = client
        self._key = key
        told = self._asked(lambda: client.get_public_key(KeyId=key))
        self.public_key: bytes = told["PublicKey"]
        algorithm = algorithm_of(self.public_key)
        if algorithm is None or told.get("KeyUsage") != "SIGN_VERIFY":
            raise ConfigInvalid(
                f"digest.kms_key_id {key} is no key that signs digests",
                "It must be of usage SIGN_VERIFY and spec ECC_NIST_P256 or ECC_NIST_EDWARDS25519.",
            )
        self.algorithm = algorithm

    def sign(self, text: bytes) -> bytes:
        """See the port. KMS takes 4 KiB at most, and what is signed is shorter."""
        signed: bytes = self._asked(
            lambda: self._client.sign(
                KeyId=self._key,
                Message=text,
                MessageType="RAW",
                SigningAlgorithm=_SIGNING[self.algorithm],
            )
        )["Signature"]
        return signed

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except ClientError as error:
            told = error.response.get("Error", {})
            raise SigningFailed(
                f"KMS refused key {self._key}: {told.get('Code')}: {told.get('Message')}"
            ) from None
        except BotoCoreError as error:
            raise SigningFailed(f"KMS does not answer: {type(error).__name__}") from None
