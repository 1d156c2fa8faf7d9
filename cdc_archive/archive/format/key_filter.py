"""Key statistics of a data file: a Bloom filter over the keys in it, so that a file which cannot
hold a row need not be read. A file without them may hold any.

The rules stand in schemas/ARCHIVE_FORMAT.md, section Key statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final

import msgspec
from rbloom import Bloom
from xxhash import xxh3_64_intdigest

FALSE_POSITIVES: Final = 0.003
"""How many of the files that do not hold a key seem to: 12 bits a key."""
_COUNT_BYTES: Final = 8
"""rbloom's own form is the count of hashes, little endian, and the bit map."""


class KeyFilter(msgspec.Struct, frozen=True):
    """The keys of a file's records, and those that their headers name.

    `bits` is the bit map, `hashes` how many bits of it a key sets; `keyless` counts the records
    without a key, TRUNCATEs not among them.
    """

    hashes: Annotated[int, msgspec.Meta(ge=1, le=64)]
    bits: bytes
    keyless: Annotated[int, msgspec.Meta(ge=0)] = 0

    def may_hold(self, hashes: Iterable[int]) -> bool:
        """Whether a key of one of these hashes can be in the file."""
        bloom = self._bloom()
        return any(one in bloom for one in hashes)

    def holds_all(self, hashes: Iterable[int]) -> bool:
        """Whether it tells of all keys of these hashes."""
        bloom = self._bloom()
        return all(one in bloom for one in hashes)

    def _bloom(self) -> Bloom:
        return Bloom.load_bytes(self.hashes.to_bytes(_COUNT_BYTES, "little") + self.bits, int)

    def problem(self) -> str | None:
        """What cannot be of it; None if there is nothing."""
        return None if self.bits else "no bit map"


key_hash: Final[Callable[[bytes], int]] = xxh3_64_intdigest
"""The hash of a key's token, 64 bits."""


def made(hashes: Sequence[int], keyless: int) -> KeyFilter:
    """The filter of keys with these hashes.

    A row that is changed often gives its hash often: how many there are is estimated first, by a
    filter for all, which takes less memory than a set of them.
    """
    everything = Bloom(max(len(hashes), 1), FALSE_POSITIVES, int)
    everything.update(hashes)
    distinct = min(len(hashes), math.ceil(everything.approx_items) + 1)
    bloom = Bloom(max(distinct, 1), FALSE_POSITIVES, int)
    bloom.update(hashes)
    data = bloom.save_bytes()
    return KeyFilter(int.from_bytes(data[:_COUNT_BYTES], "little"), data[_COUNT_BYTES:], keyless)
