"""The port: who is told of alerts."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from cdc_archive.watch.message import Message


class Receiver(Protocol):
    """Takes messages, one at a time, on a thread of its own."""

    @property
    def name(self) -> str:
        """Unlike those of the others, and the same after a restart."""
        ...

    def send(self, message: Message) -> str:
        """Deliver a message; may block, and may be asked to deliver it again.

        Returns:
            "" if it was taken; else why not, without secrets.
        """
        ...


def trouble_of(answer: Future[str]) -> str:
    """The same of a call that ended; of an error its type alone, for its text may be secret."""
    error = answer.exception()
    return answer.result() if error is None else type(error).__name__
