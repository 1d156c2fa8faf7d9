"""The whole of alarming: conditions become alerts, alerts metrics and messages, outcomes state.

A turn of the loop is `tell`, then `update` if there was an evaluation, then the caller's commit. So
a message is about what is kept already: a crash may send it again, and never makes two of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

import structlog

from cdc_archive.watch.alerts import Alerts
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.message import Message
from cdc_archive.watch.metrics import WatchMetrics
from cdc_archive.watch.outbox import Outbox
from cdc_archive.watch.receiver import Receiver, trouble_of
from cdc_archive.worker.background import Background

_log = structlog.get_logger(__name__)
_LATE_US: Final = 300 * 1_000_000
_POLL_S: Final = 0.02


class _Line:
    """A receiver, its thread, and the message that is under way."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.background = Background(1, f"tell-{receiver.name}")
        self.message: Message | None = None
        self.answer: Future[str] = Future()
        self.since_us = 0


class Notifier:
    """See the module. All methods belong to the thread of the database.

    Args:
        alerts: which there are.
        outbox: who knows; made for the names of these receivers.
        receivers: who is told, each on a thread of its own.
        metrics: what Prometheus reads.
    """

    def __init__(
        self,
        alerts: Alerts,
        outbox: Outbox,
        receivers: Sequence[Receiver],
        metrics: WatchMetrics,
    ) -> None:
        self._alerts = alerts
        self._outbox = outbox
        self._lines = [_Line(one) for one in receivers]
        self._metrics = metrics
        metrics.expect(one.name for one in receivers)
        metrics.fire(alerts.firing())

    def update(self, conditions: Iterable[Condition], now_us: int) -> None:
        """A whole evaluation: all conditions that hold now."""
        self._alerts.update(conditions, now_us)
        self._metrics.fire(self._alerts.firing())

    def tell(self, now_us: int) -> None:
        """Keep what receivers answered, and hand each what is due. Never waits."""
        for line in self._lines:
            self._settle(line, now_us)
            message = self._outbox.due(line.receiver.name, now_us)
            if message is not None:
                line.message, line.since_us = message, now_us
                line.answer = line.background.submit(partial(line.receiver.send, message))

    def close(
        self, now_us: int, patience_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Wait for what is under way, and keep the answers; what does not end is sent again."""
        for _ in range(int(patience_s / _POLL_S)):
            if all(line.message is None or line.answer.done() for line in self._lines):
                break
            sleep(_POLL_S)
        for line in self._lines:
            self._settle(line, now_us)

    def _settle(self, line: _Line, now_us: int) -> None:
        message, name = line.message, line.receiver.name
        if message is None:
            return
        if not line.answer.done():
            if now_us - line.since_us >= _LATE_US:
                line.since_us = now_us
                self._metrics.sent.labels(name, "late").inc()
                _log.warning("a receiver does not answer", receiver=name)
            return
        trouble = trouble_of(line.answer)
        line.message = None
        self._metrics.outcome(name, not trouble)
        if trouble:
            self._outbox.failed(message, now_us)
            _log.warning(
                "a message was not taken, and is sent again", receiver=name, trouble=trouble
            )
        else:
            self._outbox.delivered(message, now_us)
