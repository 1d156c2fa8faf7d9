"""Which keys may sign an archive's digests: those that a key before them vouches for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cdc_archive.archive.format.key_record import KeyRecord, key_id
from cdc_archive.archive.format.signed import Signature
from cdc_archive.archive.reader.digests import SignedKey
from cdc_archive.signing.public_key import is_signed


class Keyring:
    """The keys of an archive, from its first one, or from those that somebody trusts, on.

    Args:
        records: all key records.
        trusted: public keys (SubjectPublicKeyInfo in DER) that are known from elsewhere; none: the
            archive's own word for its first key is taken.
    """

    def __init__(self, records: Sequence[SignedKey], trusted: Collection[bytes] = ()) -> None:
        self.records = {one.record.key: one for one in records}
        self._public = {key_id(key): key for key in trusted}
        for one in records:
            if not trusted and one.record.previous is None and _vouches(one, _public(one.record)):
                self._public[one.record.key] = _public(one.record)
        while new := [one for one in records if self._is_new(one)]:
            self._public |= {one.record.key: _public(one.record) for one in new}

    def _is_new(self, one: SignedKey) -> bool:
        previous = one.record.previous
        if one.record.key in self._public or previous not in self._public:
            return False
        return _vouches(one, self._public[previous])

    @property
    def keys(self) -> frozenset[str]:
        """Ids of the keys that may sign, or might once."""
        return frozenset(self._public)

    def signed(self, signature: Signature, text: bytes) -> bool:
        """Whether a signature over a text is that of one of these keys."""
        public = self._public.get(signature.key)
        return public is not None and _is_that(public, signature, text)

    def successor(self, key: str) -> KeyRecord | None:
        """The record of the key that took over from a key, None if it is still in use."""
        after = (self.records[one].record for one in sorted(self.records) if one in self._public)
        return next((record for record in after if record.previous == key), None)


def _public(record: KeyRecord) -> bytes:
    return bytes.fromhex(record.public_key)


def _vouches(one: SignedKey, public: bytes) -> bool:
    signature = one.record.signature
    return signature is not None and _is_that(public, signature, one.signed)


def _is_that(public: bytes, signature: Signature, text: bytes) -> bool:
    try:
        value = bytes.fromhex(signature.value)
    except ValueError:
        return False
    return is_signed(public, signature.algorithm, text, value)
