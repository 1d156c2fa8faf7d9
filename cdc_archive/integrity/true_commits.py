"""What each commit of a chain should be, and what stands in its place.

The true sha256 of a commit is told by a digest that holds it, or by the commit after it, if that
one is sound itself. So trust goes from the newest commit back to the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cdc_archive.archive.format import commit as commits
from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Commit
from cdc_archive.integrity.anchor import AnchoredHead
from cdc_archive.integrity.findings import ALTERED, MISSING, MOVED, REORDERED, UNREADABLE, Finding
from cdc_archive.integrity.ledger import Ledger, Sealed
from cdc_archive.integrity.looks import Look, Looks

_KEPT: Final = 1000
"""So many commits that no digest holds are read once and kept; of a longer tail they come twice."""


class TrueCommit(NamedTuple):
    """A place in a chain.

    `commit` is what the chain holds there: of the object if it is sound, of a digest if that has
    the true bytes; None: nobody knows. `sha256` is that of these bytes. `suspect` is what stands
    there instead, if it is a commit at all. `finding` is about the object, None if it is sound.
    `confirmed`: another object names these bytes.
    """

    sequence: int
    commit: Commit | None
    sha256: str | None
    finding: Finding | None
    suspect: Commit | None = None
    sealed: Sealed | None = None
    confirmed: bool = True


class _Light(NamedTuple):
    sha256: str | None
    previous: str | None
    genuine: bool


class TrueCommits:
    """The commits of one chain.

    Args:
        looks: reads objects.
        ledger: tells which there are, and what digests say of them.
        chain: prefix of its keys.
        anchored: its head as known from elsewhere, None if it is not.
    """

    def __init__(
        self, looks: Looks, ledger: Ledger, chain: str, anchored: AnchoredHead | None
    ) -> None:
        self._looks = looks
        self._ledger = ledger
        self._chain = chain
        self._anchored = anchored
        self._kept: dict[int, Look[Commit]] = {}
        listed, sealed = ledger.sequences(chain), ledger.sealed_numbers(chain)
        self.numbers = sorted({*listed, *sealed})
        self.sealed_head = sealed[-1] if sealed else -1
        self._expected = self._told_by_successors({*listed} - {*sealed})

    def _told_by_successors(self, unsealed: set[int]) -> Mapping[int, str]:
        """What the commit after each unsealed one says that its sha256 is."""
        expected: dict[int, str] = {}
        above: tuple[int, _Light] | None = None
        for number in sorted(unsealed, reverse=True):
            after = self._ledger.sealed(self._chain, number + 1)
            if after is not None and after.whole and after.previous is not None:
                expected[number] = after.previous
            elif above is not None and above[0] == number + 1 and above[1].previous is not None:
                expected[number] = above[1].previous
            if self._anchored is not None and self._anchored.sequence == number:
                expected[number] = self._anchored.sha256
            light = self._light(number, expected.get(number))
            above = (number, light) if light.genuine else None
        return expected

    def _light(self, number: int, expected: str | None) -> _Light:
        look = self._look(number)
        if look.value is None or expected not in (None, look.sha256):
            return _Light(look.sha256, None, genuine=False)
        return _Light(look.sha256, look.value.previous, genuine=True)

    def _look(self, number: int) -> Look[Commit]:
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        look = self._looks.commit(self._key(number))
        if len(self._kept) < _KEPT and len(look.data) < (1 << 16):
            self._kept[number] = look._replace(data=b"")
        return look

    def _key(self, number: int) -> str:
        return f"{self._chain}{number:012d}.json"

    def __iter__(self) -> Iterator[TrueCommit]:
        """From the first to the last; places of which nothing tells are left out."""
        for number in self.numbers:
            sealed = self._ledger.sealed(self._chain, number)
            look = self._look(number)
            if sealed is None:
                yield self._unsealed(number, look)
            else:
                yield self._compared(number, look, sealed)

    def _compared(self, number: int, look: Look[Commit], sealed: Sealed) -> TrueCommit:
        anchored = self._anchored
        known = anchored.sha256 if anchored and anchored.sequence == number else sealed.sha256
        if known != sealed.sha256:
            what = f"is not the commit {number} that the anchor knows, and {sealed.digest}"
            anew = Finding(ALTERED, look.key, f"{what} holds another one too")
            return TrueCommit(number, look.value, look.sha256, anew, sealed=sealed)
        finding: Finding | None = None
        if look.sha256 == sealed.sha256:
            if look.value is None:
                finding = Finding(look.kind, look.key, look.what)
            return TrueCommit(number, look.value, look.sha256, finding, sealed=sealed)
        true = self._held(sealed, number)
        held = f"; {sealed.digest} holds its true bytes" if true is not None else ""
        if look.kind == MISSING:
            finding = Finding(MISSING, look.key, f"commit {number} is not there{held}")
        elif look.kind == MOVED and self._is_from(look):
            finding = self._displaced(look, held)
        else:
            what = f"its bytes are not those that {sealed.digest} names"
            why = f" ({look.what})" if look.what else ""
            finding = Finding(ALTERED, look.key, f"{what}{why}{held}")
        sha = None if true is None else sealed.sha256
        suspect = look.value if true is None else None
        return TrueCommit(number, true, sha, finding, suspect, sealed)

    def _unsealed(self, number: int, look: Look[Commit]) -> TrueCommit:
        expected = self._expected.get(number)
        if look.kind == MOVED and (expected is None or self._is_from(look)):
            return TrueCommit(number, None, None, self._displaced(look, ""))
        if look.value is not None and expected in (None, look.sha256):
            known = expected is not None
            rewritten = None if known or not look.kind else Finding(look.kind, look.key, look.what)
            return TrueCommit(number, look.value, look.sha256, rewritten, confirmed=known)
        if expected is None or look.kind == MISSING:
            kind, what = look.kind or UNREADABLE, look.what
            return TrueCommit(number, None, None, Finding(kind, look.key, what))
        by = "the anchor" if self._is_anchored(number) else f"commit {number + 1}"
        what = f"its bytes are not those that {by} names"
        why = f": {look.what}" if look.what else ""
        finding = Finding(ALTERED, look.key, f"{what}{why}")
        return TrueCommit(number, None, None, finding, look.value)

    def _is_anchored(self, number: int) -> bool:
        return self._anchored is not None and self._anchored.sequence == number

    def _is_from(self, look: Look[Commit]) -> bool:
        """Whether an object is what stands, or stood, where it says that it belongs."""
        if look.belongs is None:
            return True  # to another archive
        chain, number = layout.chain_prefix_of(look.belongs), layout.sequence_of(look.belongs)
        if chain is None or number is None:
            return False
        sealed, other = self._ledger.sealed(chain, number), self._looks.commit(look.belongs)
        known = {other.sha256, None if sealed is None else sealed.sha256}
        return look.sha256 in known or other.belongs == look.key

    def _displaced(self, look: Look[Commit], held: str) -> Finding:
        """Of another place: if that one holds what belongs here, the two were exchanged."""
        if look.belongs is not None and look.belongs.startswith(self._chain):
            other = self._looks.commit(look.belongs)
            if other.belongs == look.key:
                what = f"{look.what}, and the other way round"
                return Finding(REORDERED, look.key, what + held)
        return Finding(MOVED, look.key, look.what + held)

    def _held(self, sealed: Sealed, number: int) -> Commit | None:
        """The commit as a digest holds it."""
        if not sealed.whole:
            return None
        digest = self._looks.digest(sealed.digest).value
        for chain in () if digest is None else digest.chains:
            if layout.partition_prefix(chain.topic_partition) == self._chain:
                for one in chain.commits:
                    if one.sha256 == sealed.sha256:
                        return commits.decode(bytes(one.commit), self._key(number))
        return None
