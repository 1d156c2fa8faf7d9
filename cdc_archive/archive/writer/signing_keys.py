"""Makes a signing key known in an archive, by the word of the key before it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cdc_archive.archive.format.key_record import FORMAT, KeyRecord, key_id
from cdc_archive.archive.format.layout import key_record_key
from cdc_archive.archive.format.signed import DIGEST, KEY, Signature, signed_text, with_signature
from cdc_archive.archive.reader.digests import Digests
from cdc_archive.archive.reader.keyring import Keyring
from cdc_archive.errors import KeyRefused
from cdc_archive.signing.signer import Signer
from cdc_archive.storage.object_store import ObjectStore

_ROTATE = "Let the key before it vouch for it: cdc-archive key rotate --old OLD.pem --new NEW.pem"


def signed_digest(signer: Signer, data: bytes) -> bytes:
    """A digest's bytes, with a signature."""
    return with_signature(data, _signature(signer, DIGEST, data))


def admit(store: ObjectStore, archive: str, signer: Signer, clock: Callable[[], float]) -> Keyring:
    """See that a key may sign now; the first key of an archive makes itself known.

    Returns:
        the archive's keys.

    Raises:
        KeyRefused: the archive has other keys, and none of them vouches for it; or it was replaced.
    """
    digests = Digests(store, archive)
    ring = Keyring(digests.key_records())
    if not ring.records:
        _put(store, _record(archive, signer, None, clock), signer)
        ring = Keyring(digests.key_records())
    key = key_id(signer.public_key)
    if key not in ring.keys:
        known = ", ".join(sorted(ring.records))
        raise KeyRefused(f"key {key} may not sign: the archive is signed by {known}", _ROTATE)
    after = ring.successor(key)
    if after is not None:
        raise KeyRefused(
            f"key {key} may sign no more: key {after.key} took over at {after.created_at}",
            "Configure the new key.",
        )
    return ring


def rotate(
    store: ObjectStore, archive: str, old: Signer, new: Signer, clock: Callable[[], float]
) -> KeyRecord:
    """Let a key take over from another: from now on only the new one may sign.

    Raises:
        KeyRefused: the old one may not sign itself, or the two are one.
    """
    admit(store, archive, old, clock)
    if key_id(old.public_key) == key_id(new.public_key):
        raise KeyRefused("the old and the new key are the same", "Make one: cdc-archive key new")
    record = _record(archive, new, key_id(old.public_key), clock)
    _put(store, record, old)
    return record


def _record(
    archive: str, signer: Signer, previous: str | None, clock: Callable[[], float]
) -> KeyRecord:
    return KeyRecord(
        format=FORMAT,
        archive=archive,
        key=key_id(signer.public_key),
        algorithm=signer.algorithm,
        public_key=signer.public_key.hex(),
        previous=previous,
        created_at=datetime.fromtimestamp(clock(), UTC).isoformat(timespec="milliseconds"),
    )


def _put(store: ObjectStore, record: KeyRecord, by: Signer) -> None:
    data = record.encode()
    signed = with_signature(data, _signature(by, KEY, data))
    if not store.create(key_record_key(record.key), signed) and record.previous is not None:
        raise KeyRefused(f"key {record.key} is known to this archive already", "Make another one.")


def _signature(signer: Signer, purpose: bytes, data: bytes) -> Signature:
    value = signer.sign(signed_text(purpose, data)).hex()
    return Signature(key_id(signer.public_key), signer.algorithm, value)
