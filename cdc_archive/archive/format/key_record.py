"""The record of a signing key: since when it signs, and that the key before it says so.

The rules stand in schemas/ARCHIVE_FORMAT.md, section Signatures.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec

from cdc_archive.archive.format import layout, strict_json
from cdc_archive.archive.format.signed import Signature, ends_in
from cdc_archive.errors import ArchiveDamaged

FORMAT: Final = 1
MAX_BYTES: Final = 64 << 10
"""The largest key record."""
_ID_CHARS: Final = 16

KeyId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})+$")]


class KeyRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public key as the archive keeps it.

    `public_key` is the SubjectPublicKeyInfo in DER, in hex. `previous` is the id of the key that it
    takes over from, which signs this record; the first one signs itself.
    """

    format: int
    archive: str
    key: KeyId
    algorithm: str
    public_key: Hex
    previous: KeyId | None
    created_at: str
    signature: Signature | None = None

    def encode(self) -> bytes:
        """Canonical bytes."""
        return msgspec.json.encode(self)


def key_id(public_key: bytes) -> str:
    """The id of a public key (SubjectPublicKeyInfo in DER): 16 hex digits of its sha256."""
    return hashlib.sha256(public_key).hexdigest()[:_ID_CHARS]


def decode(data: bytes, key: str) -> KeyRecord:
    """Read a key record.

    Raises:
        FormatUnknown: written by a later version of the format.
        ArchiveDamaged: it is none, or stands under another key than its own.
    """
    try:
        strict_json.require_version(data, key, FORMAT, FORMAT)
        record = msgspec.json.decode(data, type=KeyRecord)
        if record.encode() != data:
            strict_json.refuse_repeated_members(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ArchiveDamaged(f"{key}: not a key record ({error})") from None
    if record.key != key_id(bytes.fromhex(record.public_key)):
        raise ArchiveDamaged(f"{key}: its id is not that of its public key")
    if layout.key_record_key(record.key) != key:
        raise ArchiveDamaged(f"{key}: holds the record of key {record.key} instead")
    if record.signature is None or record.signature.key != (record.previous or record.key):
        raise ArchiveDamaged(f"{key}: it is not signed by the key that it takes over from")
    if not ends_in(data, record.signature):
        raise ArchiveDamaged(f"{key}: it does not end in its signature")
    return record
