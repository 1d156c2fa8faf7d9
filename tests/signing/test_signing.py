"""Keys in files and in KMS sign what the other side can check."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from moto import mock_aws

from cdc_archive.archive.format.key_record import key_id
from cdc_archive.errors import ConfigInvalid, SigningFailed
from cdc_archive.signing import key_file, public_key
from cdc_archive.signing.kms import KmsKey, client
from cdc_archive.signing.signer import ECDSA_P256, ED25519, Signer


@pytest.fixture
def made(tmp_path: Path) -> key_file.KeyFile:
    key_file.make(tmp_path / "key.pem")
    return key_file.KeyFile(tmp_path / "key.pem")


@pytest.fixture
def kms() -> Iterator[Any]:
    with mock_aws():
        yield client("eu-west-1", "a", "b", None)


def in_kms(kms: Any, spec: str = "ECC_NIST_P256", usage: str = "SIGN_VERIFY") -> str:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)
    key: str = made["KeyMetadata"]["KeyId"]
    return key


def holds(signer: Signer) -> None:
    text = b"cdc-archive digest 1\n" + 64 * b"0" + b"\n"
    signature = signer.sign(text)
    assert public_key.is_signed(signer.public_key, signer.algorithm, text, signature)
    assert not public_key.is_signed(signer.public_key, signer.algorithm, text + b"x", signature)
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    assert not public_key.is_signed(signer.public_key, signer.algorithm, text, flipped)
    assert not public_key.is_signed(signer.public_key, "none", text, signature)


def test_a_key_in_a_file_signs(made: key_file.KeyFile) -> None:
    assert made.algorithm == ED25519
    holds(made)


def test_a_key_in_kms_signs(kms: Any) -> None:
    signer = KmsKey(kms, in_kms(kms))
    assert signer.algorithm == ECDSA_P256
    holds(signer)


def test_a_new_key_is_its_owners_alone_and_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    key_file.make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigInvalid, match="exists already"):
        key_file.make(path)


def test_openssl_reads_the_key_and_checks_the_signature(
    made: key_file.KeyFile, tmp_path: Path
) -> None:
    text, signature, public = tmp_path / "text", tmp_path / "signature", tmp_path / "public.pem"
    text.write_bytes(b"cdc-archive digest 1\nabc\n")
    signature.write_bytes(made.sign(text.read_bytes()))
    public.write_text(public_key.pem(made.public_key))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", text]
    done = subprocess.run([*command, "-sigfile", signature], capture_output=True, check=False)
    assert b"Signature Verified Successfully" in done.stdout


def test_a_public_key_file_gives_the_key(made: key_file.KeyFile, tmp_path: Path) -> None:
    path = tmp_path / "public.pem"
    path.write_text(public_key.pem(made.public_key))
    assert public_key.read_pem(path) == made.public_key
    assert len(key_id(made.public_key)) == 16


def test_an_encrypted_key_needs_its_password(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    key_file.make(path, "sesame")
    holds(key_file.KeyFile(path, "sesame"))
    with pytest.raises(ConfigInvalid, match="is encrypted"):
        key_file.KeyFile(path)
    with pytest.raises(ConfigInvalid, match="password is wrong"):
        key_file.KeyFile(path, "open")


def test_a_file_that_holds_no_such_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        key_file.KeyFile(path)
    path.write_text("hello")
    with pytest.raises(ConfigInvalid, match="no private key"):
        key_file.KeyFile(path)
    with pytest.raises(ConfigInvalid, match="no public key"):
        public_key.read_pem(path)
    other = rsa.generate_private_key(65537, 2048)
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigInvalid, match="not Ed25519"):
        key_file.KeyFile(path)
    path.write_text(public_key.pem(public_key.der(other.public_key())))
    with pytest.raises(ConfigInvalid, match="Ed25519 or ECDSA P-256"):
        public_key.read_pem(path)


def test_another_curve_proves_nothing() -> None:
    other = public_key.der(ec.generate_private_key(ec.SECP384R1()).public_key())
    assert not public_key.is_signed(other, ECDSA_P256, b"text", b"signature")


def test_a_kms_key_of_another_kind_is_refused(kms: Any) -> None:
    with pytest.raises(ConfigInvalid, match="SIGN_VERIFY"):
        KmsKey(kms, in_kms(kms, "RSA_2048"))


def test_a_refusal_of_kms_is_told(kms: Any) -> None:
    with pytest.raises(SigningFailed, match="KMS refused key nothing"):
        KmsKey(kms, "nothing")
