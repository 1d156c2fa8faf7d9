"""What a look at an archive comes to: what is proven by it, and what is not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cdc_archive.archive.reader.window import Window
from cdc_archive.integrity.findings import GAP, INCOMPLETE, Finding
from cdc_archive.integrity.verify import Verification

DAMAGED: Final = "damaged"
NOTHING: Final = "nothing"
INCOMPLETE_RESULT: Final = "incomplete"
WHOLE: Final = "whole"


class Verdict(NamedTuple):
    """`result` is one of the constants here; `found` counts the findings by their kind."""

    result: str
    found: Counter[str]
    damage: int

    @classmethod
    def of(cls, found: Counter[str], damage: int, verification: Verification) -> Verdict:
        """What findings come to; the losses that are recorded count."""
        result = WHOLE
        if damage:
            result = DAMAGED
        elif not verification.counts["files" if _is_part(verification) else "commits"]:
            result = NOTHING
        elif found[GAP] or found[INCOMPLETE]:
            result = INCOMPLETE_RESULT
        return cls(result, found, damage)


class Tally:
    """Counts findings as they come."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self.damage = 0

    def take(self, finding: Finding) -> None:
        """One more."""
        self.found[finding.kind] += 1
        self.damage += finding.is_damage

    def verdict(self, verification: Verification) -> Verdict:
        """What they come to."""
        return Verdict.of(self.found, self.damage, verification)


def unproven(verification: Verification) -> Iterator[str]:
    """What a clean run does not prove, each in one sentence with what would."""
    asked, standing = verification.asked, verification.standing
    newest = None if standing is None else standing.newest
    if newest is None:
        yield "nothing is sealed by a digest: the chains vouch for themselves alone"
    elif not standing or not standing.signed:
        yield "no digest is signed: whoever may write to the archive could have made it anew"
    elif not asked.trusted:
        yield "who signed: give --public-key, a copy of the key kept elsewhere"
    if verification.counts["unsealed"] and newest is not None:
        yield f"{verification.counts['unsealed']:,} commits that no digest holds yet"
    if asked.anchor is None:
        yield "that nothing was cut off at the end, nor all made anew: give --anchor"
    if _is_part(verification):
        yield "the data files outside of the window: they were not opened"


def _is_part(verification: Verification) -> bool:
    """Whether not all of the archive was asked for."""
    return verification.asked.window != Window()


def as_json(verification: Verification, verdict: Verdict) -> dict[str, Any]:
    """The last line of `verify --json`."""
    standing = verification.standing
    newest = None if standing is None else standing.newest
    hours = [] if standing is None else standing.sound
    signers = {hour.signature.key for hour in hours if hour.signature is not None}
    return {
        "kind": "result",
        "result": verdict.result,
        "archive": verification.archive,
        "found": dict(sorted(verdict.found.items())),
        "counts": dict(verification.counts),
        "window": list(verification.asked.window),
        "newest_digest": newest and {"key": newest.key, "sha256": newest.sha256},
        "signed_by": sorted(signers),
        "transactions": [stream.as_json() for stream in verification.streams],
        "not_proven": [*unproven(verification)],
    }
