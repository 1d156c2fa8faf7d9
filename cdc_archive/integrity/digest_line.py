"""The line of digests, walked both ways: each is read after the one before, then the newest is
judged first, and each vouches for the one that it names.

One damaged digest gives one finding: what it says is forgotten, so that nothing else is blamed.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.digest import HOUR, Digest, moment
from cdc_archive.archive.format.key_record import KeyRecord
from cdc_archive.integrity.anchor import AnchoredDigest
from cdc_archive.integrity.findings import (
    ALTERED,
    BROKEN,
    CUT,
    EXTRA,
    FORGED,
    MISSING,
    OVERDUE,
    REORDERED,
    UNREADABLE,
    UNSIGNED,
    Finding,
)
from cdc_archive.integrity.key_line import KeyLine, signers
from cdc_archive.integrity.ledger import Ledger, Sealed
from cdc_archive.integrity.looks import Look, Looks
from cdc_archive.integrity.sealed_hours import Hour, Hours, named

CADENCE: Final = 2 * HOUR
"""A digest ends so long ago at most: an hour is sealed soon after it is over."""
_SEVERAL: Final = 24
"""Holes of more digests than this are one finding."""


class Standing(NamedTuple):
    """What the digests are found to be: the sound ones, oldest first, and how they are signed."""

    sound: list[Hour]
    keys: KeyLine

    @property
    def newest(self) -> Hour | None:
        """The newest one that is sound."""
        return self.sound[-1] if self.sound else None

    @property
    def signed(self) -> int:
        """How many of them bear a signature."""
        return sum(hour.signature is not None for hour in self.sound)


class DigestLine:
    """Judges all digests and key records of an archive.

    Args:
        looks: reads objects.
        ledger: tells which there are, and takes what sound digests say of commits.
        trusted: public keys (SubjectPublicKeyInfo in DER) known from elsewhere.
        anchored: the newest digest known from elsewhere.
    """

    def __init__(
        self,
        looks: Looks,
        ledger: Ledger,
        trusted: Collection[bytes] = (),
        anchored: AnchoredDigest | None = None,
    ) -> None:
        self._looks = looks
        self._ledger = ledger
        self._trusted = trusted
        self._anchored = anchored
        self._hours: list[Hour] = []
        self._failed: list[Look[Digest]] = []

    def judge(self) -> Iterator[Finding]:
        """Findings about digests and key records; then `standing` is there."""
        self._read()
        records = [*self._key_records()]
        signatures = {hour.sha256: hour.signature for hour in self._hours}
        signed = [hour for hour in self._hours if hour.signature is not None]
        first = min(signed, key=lambda hour: (hour.sequence, hour.key), default=None)
        confirmed = signers(signatures, named(self._hours))
        self._first_signed = None if first is None else first.sequence
        signer = None if first is None or first.signature is None else first.signature.key
        self._keys = KeyLine(records, self._trusted, confirmed, signer)
        self._takeovers = [*self._first_of_keys()]
        yield from self._keys.findings
        sound = yield from self._walked()
        yield from self._holes(sound)
        self.standing = Standing(sound[::-1], self._keys)
        yield from self._cut(sound)
        self._name_heads(sound)

    def _read(self) -> None:
        hours = Hours(self._ledger)
        for key in self._ledger.keys(layout.DIGESTS):
            if not layout.is_digest_key(key):
                continue
            self._ledger.name_other(key)
            look = self._looks.digest(key)
            if look.value is None:
                self._failed.append(look._replace(data=b""))
                hours.lost()
            else:
                self._hours.append(hours.take(look))

    def _key_records(self) -> Iterator[Look[KeyRecord]]:
        for key in self._ledger.keys(layout.KEYS):
            if layout.key_id_of(key) is not None:
                self._ledger.name_other(key)
                yield self._looks.key_record(key)

    def _walked(self) -> Generator[Finding, None, list[Hour]]:
        """From the newest to the oldest; gives the sound ones in this order."""
        sound: list[Hour] = []
        above: Hour | None = None
        hours = sorted(self._hours, key=lambda hour: (hour.sequence, hour.key), reverse=True)
        for hour in self._preferred(hours):
            expected = above.previous if above and above.sequence == hour.sequence + 1 else None
            if above is not None and above.sequence == hour.sequence:
                what = f"is another digest of number {hour.sequence}, beside {above.key}"
                verdict: tuple[str, str] | None = (EXTRA, what)
            else:
                if above is not None and self._both_hold(hour, expected, above):
                    yield self._withdrawn(sound.pop(), hour)
                    above, expected = None, None
                verdict = self._verdict(hour, expected, above)
            verdict = verdict or self._retired(hour)
            if verdict is None:
                sound.append(hour)
                above = hour
            else:
                self._ledger.distrust(hour.key)
                yield Finding(verdict[0], hour.key, verdict[1])
        return sound

    def _preferred(self, hours: list[Hour]) -> list[Hour]:
        """Of several of one number the one first that another names, or that the anchor knows."""
        vouched = named(hours) | ({self._anchored.sha256} if self._anchored else frozenset())
        return sorted(hours, key=lambda hour: (-hour.sequence, hour.sha256 not in vouched))

    def _both_hold(self, hour: Hour, expected: str | None, above: Hour) -> bool:
        """Whether the newest names another digest than this, which is signed as it should be."""
        if expected in (None, hour.sha256) or hour.signature is None:
            return False
        anchored = self._anchored
        if above.sha256 in named(self._hours) or (anchored and anchored.sha256 == above.sha256):
            return False
        return self._keys.problem(hour.signature, hour.signed) is None

    def _withdrawn(self, above: Hour, hour: Hour) -> Finding:
        self._ledger.distrust(above.key)
        what = f"it names another digest before it than {hour.key}, whose signature holds"
        return Finding(BROKEN, above.key, what)

    def _verdict(
        self, hour: Hour, expected: str | None, above: Hour | None
    ) -> tuple[str, str] | None:
        signature = hour.signature
        if signature is None and self._is_due(hour, above):
            return UNSIGNED, "it bears no signature, though the archive's digests are signed"
        forged = None if signature is None else self._keys.problem(signature, hour.signed)
        anchored = self._anchored
        if anchored is not None and anchored.sequence == hour.sequence:
            if anchored.sha256 != hour.sha256:
                what = f"is not the digest {hour.sequence} that the anchor knows"
                return ALTERED, f"{what}; {forged or 'it was made anew'}"
        elif expected is not None and expected != hour.sha256:
            assert above is not None
            what = f"its bytes are not those that the next digest, {above.key}, names"
            return ALTERED, f"{what}; {forged}" if forged else what
        if forged is not None:
            return FORGED, forged
        return hour.problem

    def _is_due(self, hour: Hour, above: Hour | None) -> bool:
        if self._first_signed is not None and hour.sequence > self._first_signed:
            return True
        since = self._keys.since
        if since is not None and since <= hour.sealed_at:
            return True
        return bool(self._trusted) and above is None and self._first_signed is None

    def _retired(self, hour: Hour) -> tuple[str, str] | None:
        """A key may sign no more once one that took over from it did."""
        if hour.signature is None:
            return None
        rank = self._keys.rank(hour.signature.key)
        for other in self._takeovers:
            if other.end < hour.end and self._rank(other) > rank:
                what = f"it is signed by key {hour.signature.key}, from which key "
                what += f"{other.signature.key if other.signature else ''} had taken over:"
                return FORGED, f"{what} that one signed {other.key}"
        return None

    def _rank(self, hour: Hour) -> int:
        return 0 if hour.signature is None else self._keys.rank(hour.signature.key)

    def _first_of_keys(self) -> Iterator[Hour]:
        """The first digest that each key signed."""
        seen: set[str] = set()
        for hour in sorted(self._hours, key=lambda hour: hour.end):
            if hour.signature is None or hour.signature.key in seen:
                continue
            if self._keys.problem(hour.signature, hour.signed) is None:
                seen.add(hour.signature.key)
                yield hour

    def _holes(self, sound: list[Hour]) -> Iterator[Finding]:
        """Objects that are no digest, and numbers that no object has; `sound` is newest first."""
        failed = {look.key: look for look in self._failed}
        bad = {hour.sequence for hour in self._hours} - {hour.sequence for hour in sound}
        lower = [*sound[1:], None] if sound else []
        for above, below in zip(sound, lower, strict=True):
            first = 0 if below is None else below.sequence + 1
            numbers = [n for n in range(first, above.sequence) if n not in bad]
            places = {*_keys_before(above, below, len(numbers) + len(failed))}
            inside = [k for k in failed if k < above.key and (below is None or k > below.key)]
            inside = [k for k in inside if k in places or failed[k].belongs is None]
            if len(numbers) == len(inside) == 1 and above.sequence - 1 == numbers[0]:
                yield self._altered(failed.pop(inside[0]), above)
            elif len(numbers) > len(inside):
                yield from self._missing(above, below, numbers, len(inside))
        for look in failed.values():
            yield Finding(*self._swapped_or(look))

    def _altered(self, look: Look[Digest], above: Hour) -> Finding:
        kind, key, what = self._swapped_or(look)
        if kind == UNREADABLE:
            kind = ALTERED
            what = f"its bytes are not those that the next digest, {above.key}, names: {what}"
        return Finding(kind, key, what)

    def _swapped(self, look: Look[Digest]) -> bool:
        other = next((one for one in self._failed if one.key == look.belongs), None)
        return other is not None and other.belongs == look.key

    def _swapped_or(self, look: Look[Digest]) -> tuple[str, str, str]:
        if self._swapped(look):
            return REORDERED, look.key, f"{look.what}, and the other way round"
        return look.kind, look.key, look.what

    def _missing(
        self, above: Hour, below: Hour | None, numbers: list[int], explained: int
    ) -> Iterator[Finding]:
        """The digests between two; their keys follow from their windows, which are contiguous."""
        count = len(numbers) - explained
        keys = [*_keys_before(above, below, len(numbers) + explained)]
        keys = [key for key in keys if not self._ledger.holds(key)][-count:]
        told = f"which {above.key} follows in the line, is not there"
        if count > _SEVERAL or len(keys) < count:
            which = f"digests {numbers[0]} to {numbers[-1]}, of which {count},"
            yield Finding(MISSING, keys[0] if keys else layout.DIGESTS, f"{which}, {told}")
            return
        for number, key in zip(numbers[-count:], keys, strict=True):
            yield Finding(MISSING, key, f"digest {number}, {told}")

    def _cut(self, sound: list[Hour]) -> Iterator[Finding]:
        anchored, newest = self._anchored, sound[0] if sound else None
        bad = {hour.sequence for hour in self._hours} - {hour.sequence for hour in sound}
        reached = -1 if newest is None else newest.sequence
        if anchored is not None and anchored.sequence > reached and anchored.sequence not in bad:
            if self._failed and newest is None:
                return
            key = layout.DIGESTS
            if anchored.end is not None:
                key = layout.digest_key(moment(anchored.end))
            if key != layout.DIGESTS and self._ledger.holds(key):
                return  # it is there, and found to be another one
            what = f"the anchor knows digest {anchored.sequence}, but the newest is {reached}"
            if newest is None:
                what = f"the anchor knows digest {anchored.sequence}, but there is none"
            yield Finding(CUT, key, f"{what}: the end of the line was cut off")
        elif self._keys.exists and not self._hours and not self._failed:
            what = "the archive has a signing key, but no digest: all were removed"
            yield Finding(CUT, layout.DIGESTS, what)
        elif self._trusted and not self._hours and not self._failed:
            what = "a public key is given, but the archive has no digest: nobody signed anything"
            yield Finding(UNSIGNED, layout.DIGESTS, what)

    def _name_heads(self, sound: list[Hour]) -> None:
        """The newest digest names the head of every chain, whichever digest holds that commit."""
        if not sound:
            return
        look = self._looks.digest(sound[0].key)
        for chain in look.value.chains if look.value is not None else ():
            note = Sealed(chain.sequence, chain.sha256, None, look.key, whole=False)
            self._ledger.seal(note, layout.partition_prefix(chain.topic_partition))


def overdue(newest: Hour, now: datetime) -> Finding | None:
    """Whether the newest digest is older than it should be at a time."""
    late = now - newest.end
    if late <= CADENCE:
        return None
    hours = late // timedelta(hours=1)
    what = f"the newest digest ends at {newest.end:%Y-%m-%dT%H:%M:%SZ}, {hours:,} hours before"
    what += f" {now:%Y-%m-%dT%H:%M:%SZ}: nothing was sealed since, or what was is not there"
    return Finding(OVERDUE, newest.key, what)


def _keys_before(above: Hour, below: Hour | None, limit: int) -> list[str]:
    """Keys of the hourly digests between two, the oldest first; of those before one, so many."""
    keys: list[str] = []
    end = above.start
    while len(keys) < limit and (below is None or end > below.end):
        keys.append(layout.digest_key(end))
        floor = end.replace(minute=0, second=0, microsecond=0)
        end = floor if floor < end else end - HOUR
    return keys[::-1]
