"""The keys of a data file while it grows: what its key statistics are made of."""

from __future__ import annotations

from array import array
from typing import Final

from cdc_archive.archive.format import key_filter
from cdc_archive.archive.format.key_filter import KeyFilter, key_hash
from cdc_archive.changelog.record import ChangeRecord, Headers
from cdc_archive.decode.key_token import tokens

OVERHEAD_BYTES: Final = 400
"""What it costs before the first key."""
KEY_BYTES: Final = 48
"""What a key costs beside its bytes until it is hashed."""
HASH_BYTES: Final = 9
"""What is held of a key once it was hashed, with room to grow."""
_OTHER_KEYS: Final = frozenset({"__debezium.newkey", "__debezium.oldkey"})
"""Headers of a change of key: the key that the row has from now on, or had."""
_AT_ONCE: Final = 256


def other_keys(headers: Headers) -> list[bytes]:
    """The keys that a record's headers name."""
    return [value for name, value in headers if name in _OTHER_KEYS and value is not None]


class KeysSeen:
    """Collects keys; many are hashed at once, which is cheaper.

    Attributes:
        waiting: keys that are yet to be hashed; more may be put into it, and then `hash` is due.
        tokens: tokens of keys (decode/key_token.py), likewise.
        keyless: how many records have none, TRUNCATEs not among them.
    """

    def __init__(self) -> None:
        self._hashes = array("Q")
        self.waiting: list[bytes] = []
        self.tokens: list[bytes] = []
        self.keyless = 0

    def add(self, record: ChangeRecord) -> None:
        """Take the keys of a record."""
        if record.key is not None:
            self.waiting.append(record.key)
        elif record.op != "t":
            self.keyless += 1
        self.waiting.extend(other_keys(record.headers))
        if len(self.waiting) >= _AT_ONCE:
            self.hash()

    def hash(self) -> None:
        """Hash those that wait."""
        if self.waiting:
            self.tokens += tokens(self.waiting)
            self.waiting.clear()
        self._hashes.extend(map(key_hash, self.tokens))
        self.tokens.clear()

    def filter(self) -> KeyFilter:
        """The statistics."""
        self.hash()
        return key_filter.made(self._hashes, self.keyless)

    def are_in(self, told: KeyFilter) -> bool:
        """Whether these statistics, of whatever size, tell of all the keys."""
        self.hash()
        return told.holds_all(self._hashes) and told.keyless == self.keyless
