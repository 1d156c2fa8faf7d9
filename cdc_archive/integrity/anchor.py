"""The last known head of an archive, kept where its keepers cannot reach it.

Whoever may write to the bucket and holds the signing key can make the whole archive anew, and
nothing in it would tell. A copy of its newest hashes, elsewhere, does: on another account's bucket,
in a ticket, on paper.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from cdc_archive.archive.format import strict_json
from cdc_archive.archive.format.commit import Offset, Sha256
from cdc_archive.errors import ConfigInvalid

FORMAT: Final = 1
_LINE: Final = re.compile(r"(\d{1,12}):([0-9a-f]{64})", re.ASCII)
_ADVICE: Final = (
    "An anchor is a file that `verify --write-anchor` wrote, or SEQUENCE:SHA256 of a digest."
)


class AnchoredDigest(msgspec.Struct, frozen=True):
    """The newest digest; `end` is the end of its window, ISO 8601, None if it is not known."""

    sequence: Offset
    sha256: Sha256
    end: str | None = None


class AnchoredHead(msgspec.Struct, frozen=True):
    """The head of a chain."""

    topic: str
    partition: Offset
    sequence: Offset
    sha256: Sha256
    next_offset: Offset


class Anchor(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was known of an archive at a time; `description` is the sha256 of `archive.json`.

    An anchor on one line knows of a digest alone.
    """

    format: int
    archive: str | None = None
    made_at: str | None = None
    description: Sha256 | None = None
    digest: AnchoredDigest | None = None
    chains: list[AnchoredHead] = []

    def encode(self) -> bytes:
        """JSON text, one line for each chain."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @property
    def line(self) -> str | None:
        """The digest as `SEQUENCE:SHA256`, None if there is none."""
        newest = self.digest
        return None if newest is None else f"{newest.sequence}:{newest.sha256}"


def read(given: str) -> Anchor:
    """An anchor.

    Args:
        given: `SEQUENCE:SHA256`, or the name of a file that holds it or what `encode` wrote.

    Raises:
        ConfigInvalid: it is none.
    """
    line = _LINE.fullmatch(given.strip())
    if line is not None:
        return Anchor(FORMAT, digest=AnchoredDigest(int(line[1]), line[2]))
    try:
        data = Path(given).read_bytes()
    except (OSError, ValueError):
        raise ConfigInvalid(f"the anchor {given[:200]!a} cannot be read", _ADVICE) from None
    line = _LINE.fullmatch(data.decode("ascii", "replace").strip())
    if line is not None:
        return Anchor(FORMAT, digest=AnchoredDigest(int(line[1]), line[2]))
    try:
        strict_json.refuse_repeated_members(data)
        anchor = msgspec.json.decode(data, type=Anchor)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigInvalid(f"{given} is no anchor: {error}", _ADVICE) from None
    if anchor.format != FORMAT:
        raise ConfigInvalid(f"{given} is an anchor of format {anchor.format}", _ADVICE)
    return anchor
