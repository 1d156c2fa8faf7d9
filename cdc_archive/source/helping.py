"""How many messages to ask a client for, so that about so many bytes come. Pure.

Clients count messages. Two thousand messages of a kilobyte are nothing; of eight megabytes they are
more than the machine has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdc_archive.source.message import Message

MESSAGE_BYTES: Final = 256
"""What a message in memory costs beside its key, value and headers."""
_GROWTH: Final = 4
_FADING: Final = 0.9


class Helping:
    """The size of the next helping.

    Args:
        most_messages: never more than so many.
        most_bytes: not more than so many if each is as large as the largest before, whose memory
            fades from helping to helping; one message in any case.
    """

    def __init__(self, most_messages: int, most_bytes: int) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._largest = 1.0
        self.messages = 1

    def had(self, messages: Sequence[Message]) -> int:
        """Take note of what came; its bytes in memory, 0 if nothing came."""
        if not messages:
            return 0
        sizes = _sizes(messages)
        self._largest = max(self._largest * _FADING, *sizes)
        fitting = int(self._most_bytes / self._largest)
        self.messages = max(1, min(self.messages * _GROWTH, self._most_messages, fitting))
        return sum(sizes)


def _sizes(messages: Sequence[Message]) -> list[int]:
    """Of each; headers that are the very ones of the message before are measured once."""
    sizes, known, fixed = [], None, MESSAGE_BYTES
    for _, _, _, _, _, key, value, headers in messages:
        if headers is not known:
            fixed = MESSAGE_BYTES + sum([len(name) + len(data or b"") for name, data in headers])
            known = headers
        sizes.append(fixed + len(key or b"") + len(value or b""))
    return sizes
