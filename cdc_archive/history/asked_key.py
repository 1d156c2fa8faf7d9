"""A row's key as a person writes it, compared with the keys of messages. Pure.

`{"id": 7}`, `id=7` and `7` all mean the row whose key is `{"id": 7}`; and where there is none, the
one whose key is `{"id": "7"}`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Any, Final

from cdc_archive.decode.images import parsed
from cdc_archive.decode.key_token import UNUSUAL, joined

EXACT: Final = 0
"""The key is the same JSON value."""
BY_TEXT: Final = 1
"""The key has the same text, but is a number where a string was asked for, or the reverse."""


_MOST_TOKENS: Final = 64


class AskedKey:
    """The key that is asked for.

    Args:
        given: one JSON object; or `column=value`, once a column; or one bare value, for a key of
            one column and for keys that are no object.

    Raises:
        ValueError: it is none of these; its text says what is wrong.
    """

    def __init__(self, given: Sequence[str]) -> None:
        self._object = _object(given[0]) if len(given) == 1 else None
        self._bare = given[0] if len(given) == 1 and self._object is None else None
        if self._bare is not None and self._bare.lstrip().startswith("{"):
            raise ValueError(
                "it begins like a JSON object and is none: look at its quotes and braces"
            )
        pairs = [text.partition("=") for text in given]
        self._columns = {name: value for name, mark, value in pairs if mark and name}
        if len(given) > 1 and len(self._columns) < len(given):
            raise ValueError("several of them must each be column=value, and no column twice")
        self._text = " ".join(given)

    def __str__(self) -> str:
        return self._text

    def rank(self, key: Any) -> int | None:
        """`EXACT` or `BY_TEXT` if a message's key (a JSON value) is the one; None if it is not."""
        if self._object is not None:
            return _same_object(self._object, key)
        if isinstance(key, dict) and key.keys() == self._columns.keys():
            return _worst([_same(text, key[name]) for name, text in self._columns.items()])
        if self._bare is None or (isinstance(key, dict) and len(key) != 1):
            return None
        value = next(iter(key.values())) if isinstance(key, dict) else key
        return _same(self._bare, value)

    def tokens(self) -> frozenset[str] | None:
        """The tokens that a key which is the one can have; None: any.

        Whatever `rank` takes for the one has one of them.
        """
        if self._object is not None:
            return _tokens([{_as_text(value)} for _, value in sorted(self._object.items())])
        found = {UNUSUAL}
        if self._columns:
            of_columns = _tokens([_texts(text) for _, text in sorted(self._columns.items())])
            if of_columns is None:
                return None
            found |= of_columns
        if self._bare is not None:
            found |= _texts(self._bare)
        return frozenset(found)


def _texts(given: str) -> set[str]:
    """What a value can be that is asked for by this text."""
    return {given, _as_text(_parsed(given))}


def _tokens(columns: Sequence[set[str]]) -> frozenset[str] | None:
    if math.prod(map(len, columns)) > _MOST_TOKENS:
        return None
    return frozenset({UNUSUAL, *map(joined, product(*columns))})


def _object(text: str) -> dict[str, Any] | None:
    value = _parsed(text)
    return value if isinstance(value, dict) else None


@lru_cache(maxsize=64)  # what is asked for is compared with every key of a table
def _parsed(text: str) -> Any:
    """JSON text as its value; other text as itself."""
    try:
        return parsed(text)
    except ValueError:
        return text


def _same_object(asked: dict[str, Any], key: Any) -> int | None:
    if not isinstance(key, dict) or asked.keys() != key.keys():
        return None
    return _worst([_alike(value, key[name]) for name, value in asked.items()])


def _same(text: str, value: Any) -> int | None:
    rank = _alike(_parsed(text), value)
    return BY_TEXT if rank is None and _as_text(value) == text else rank


def _alike(asked: Any, value: Any) -> int | None:
    if type(asked) is type(value):
        return EXACT if asked == value else None
    return BY_TEXT if _as_text(asked) == _as_text(value) else None


def _worst(ranks: list[int | None]) -> int | None:
    known = [rank for rank in ranks if rank is not None]
    return max(known, default=EXACT) if len(known) == len(ranks) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=_number)


def _number(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
