"""The line of an archive's signing keys: which may sign, and from which digest on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.digest import moment
from cdc_archive.archive.format.key_record import KeyRecord, key_id
from cdc_archive.archive.format.signed import KEY, Signature, signed_text
from cdc_archive.integrity.findings import FORGED, MISSING, Finding
from cdc_archive.integrity.looks import Look
from cdc_archive.signing.public_key import is_signed


class _Known(NamedTuple):
    record: KeyRecord
    signed: bytes


class KeyLine:
    """The keys of an archive, from its first one, or from those that somebody trusts, on.

    Attributes:
        findings: about key records.
        trusted_line: whether the line is, or comes from, a key that was given.

    Args:
        looks: at each key record.
        trusted: public keys (SubjectPublicKeyInfo in DER) known from elsewhere; none: the archive's
            own word for its first key is taken.
        confirmed: ids of keys that signed digests which other digests name.
        first: id of the key that signed the first signed digest, None if none is signed.
    """

    def __init__(
        self,
        looks: Sequence[Look[KeyRecord]],
        trusted: Collection[bytes],
        confirmed: Collection[str],
        first: str | None,
    ) -> None:
        self._known = {
            look.value.key: _Known(look.value, signed_text(KEY, look.data))
            for look in looks
            if look.value is not None
        }
        self._public = {one: bytes.fromhex(k.record.public_key) for one, k in self._known.items()}
        self._public |= {key_id(der): der for der in trusted}
        given = {key_id(der) for der in trusted}
        broken = [look for look in looks if look.value is None]
        self.findings = [Finding(look.kind, look.key, look.what) for look in looks if look.kind]
        self._lost = {one for look in broken if (one := layout.key_id_of(look.key))}
        self.findings += self._missing(confirmed)
        self.trusted_line = bool(given & {*self._known, *confirmed})
        self._line = self._accepted(given, confirmed, first)
        self._doubtful = frozenset(confirmed) & self._known.keys() - self._line
        if given and not self.trusted_line and self._known:
            self.findings.append(self._wrong_key(given, first))
        self.findings += self._refused()

    @property
    def exists(self) -> bool:
        """Whether the archive has a key at all."""
        return bool(self._known or self._lost)

    @property
    def since(self) -> datetime | None:
        """When the first key was made known, None if there is none, or nothing tells."""
        times = []
        for known in self._known.values():
            with suppress(ValueError):
                times.append(moment(known.record.created_at))
        return min(times, default=None)

    def problem(self, signature: Signature, text: bytes) -> str | None:
        """Why a signature over a text does not count; None: it does, or nothing can be said."""
        if signature.key in self._lost and signature.key not in self._public:
            return None
        public = self._public.get(signature.key)
        if public is None:
            return f"it is signed by key {signature.key[:16]!a}, which the archive has no record of"
        if not _holds(public, signature, text):
            return f"its signature by key {signature.key} does not hold"
        if signature.key not in self._line | self._doubtful:
            return f"it is signed by key {signature.key}, which no trusted key vouches for"
        return None

    def rank(self, key: str) -> int:
        """How many keys came before a key."""
        count, seen = 0, {key}
        while (known := self._known.get(key)) and known.record.previous:
            key, count = known.record.previous, count + 1
            if key in seen:
                break
            seen.add(key)
        return count

    def _missing(self, confirmed: Collection[str]) -> Iterator[Finding]:
        named = {known.record.previous for known in self._known.values()} - {None}
        for one in sorted({*confirmed, *filter(None, named)} - {*self._known, *self._lost}):
            if layout.key_id_of(key := layout.key_record_key(one)) is None:
                continue
            self._lost.add(one)
            what = f"the record of key {one}, which signed digests, is not there"
            yield Finding(MISSING, key, what)

    def _accepted(
        self, given: Collection[str], confirmed: Collection[str], first: str | None
    ) -> frozenset[str]:
        """The keys that may sign: the trusted, those before them, and whom they vouch for."""
        line = {*given} if self.trusted_line else {*self._root(first)}
        for one in [*line]:
            while (known := self._known.get(one)) and (one := known.record.previous or ""):
                if one in line:
                    break
                line.add(one)
        line |= self._lost
        while new := {k for k in self._known.keys() - line if self._joins(k, line, confirmed)}:
            line |= new
        return frozenset(line)

    def _root(self, first: str | None) -> Iterator[str]:
        """The key that the line begins with."""
        roots = [k for k in self._known.values() if not k.record.previous and self._vouched(k)]
        roots.sort(key=lambda known: (known.record.key != first, known.record.created_at))
        yield from (known.record.key for known in roots[:1])

    def _joins(self, one: str, line: Collection[str], confirmed: Collection[str]) -> bool:
        known = self._known[one]
        return (
            known.record.previous in line
            and self._vouched(known)
            and self._heir(known.record.previous, confirmed) == one
        )

    def _heir(self, previous: str | None, confirmed: Collection[str]) -> str:
        """Of those that claim to take over from a key, the one that does."""
        claims = [k for k in self._known.values() if k.record.previous == previous]
        claims = [k for k in claims if self._vouched(k)]
        ranked = sorted(claims, key=lambda k: (k.record.key not in confirmed, k.record.created_at))
        return ranked[0].record.key

    def _vouched(self, known: _Known) -> bool:
        """Whether the signature of a record holds, as far as can be said."""
        by = known.record.previous or known.record.key
        signature, public = known.record.signature, self._public.get(by)
        if public is None:
            return by in self._lost
        return signature is not None and _holds(public, signature, known.signed)

    def _wrong_key(self, given: Collection[str], first: str | None) -> Finding:
        root = next(self._root(first), min(self._known))
        what = f"the archive's keys are not, and do not come from, {', '.join(sorted(given))}"
        return Finding(FORGED, layout.key_record_key(root), what)

    def _refused(self) -> Iterator[Finding]:
        for one in sorted(self._known):
            known = self._known[one]
            if one in self._line and self._vouched(known):
                continue
            what = f"key {known.record.previous} had another one take over from it"
            if not self._vouched(known):
                what = f"its signature by key {known.record.previous or one} does not hold"
            elif known.record.previous in self._doubtful:
                continue
            elif known.record.previous is None or known.record.previous not in self._line:
                what = f"no trusted key vouches for key {one}"
            if one in self._doubtful:
                what += ": nothing proves that it may have signed the digests that it signed"
            yield Finding(FORGED, layout.key_record_key(one), what)


def _holds(public: bytes, signature: Signature, text: bytes) -> bool:
    try:
        value = bytes.fromhex(signature.value)
    except ValueError:
        return False
    return is_signed(public, signature.algorithm, text, value)


def signers(signatures: Mapping[str, Signature | None], named: Collection[str]) -> frozenset[str]:
    """Ids of the keys whose signature stands in digests that others name, or in several.

    Args:
        signatures: of digests, by the sha256 of their objects.
        named: sha256 of digests that other digests name.
    """
    ids = Counter(one.key for one in signatures.values() if one is not None)
    several = {one for one, count in ids.items() if count > 1}
    return frozenset(several | {s.key for sha, s in signatures.items() if s and sha in named})
