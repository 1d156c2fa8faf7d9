"""Keeps secrets out of everything that is written: each value, and each form that it takes on.

The settings tell their secrets here once; logs, error messages and tracebacks are masked by them.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "********"
_SHORTEST_PIECE: Final = 8  # a shorter line or encoding would hide what is no secret
_known: set[str] = set()


class Mask:
    """Replaces secrets, as they are or encoded, by asterisks.

    Args:
        secrets: their values.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets if secret for form in forms(secret)}
        longest_first = sorted(found, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if found else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def forms(secret: str) -> Iterator[str]:
    """What a secret looks like as it is, in a URL, in JSON, in a repr, in XML, in base64."""
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield from (quote(raw), quote(raw, safe=""), quote_plus(raw), html.escape(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (repr(secret)[1:-1], repr(raw)[2:-1], repr("'" + secret)[2:-1])
    pieces = [*secret.splitlines(), *_base64(raw)]
    yield from (piece for piece in pieces if len(piece) >= _SHORTEST_PIECE)


def _base64(raw: bytes) -> Iterator[str]:
    """In base64, alone or amid other bytes: only characters that are of the secret alone."""
    for before, shared in enumerate((0, 2, 3)):
        padded = bytes(before) + raw
        whole = len(padded) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode()[shared:whole]


def remember(secrets: Iterable[str]) -> None:
    """From now on `masked` hides these too."""
    _known.update(secret for secret in secrets if secret)


def masked(text: str) -> str:
    """The text without any secret that this process knows of."""
    return Mask(_known)(text)
