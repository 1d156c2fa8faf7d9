"""Each message as one line of the log."""

from __future__ import annotations

import structlog

from cdc_archive.watch import wording
from cdc_archive.watch.message import Alert, Message

_log = structlog.get_logger(__name__)
_CRITICAL = 2


class LogReceiver:
    """See the port, receiver.py. While something critical is the matter it is an error."""

    name = "log"

    def send(self, message: Message) -> str:
        """See the port."""
        tell = _log.error if message.alerts[0].gravity == _CRITICAL else _log.warning
        tell(
            f"alerts {message.status}",
            service=message.group,
            headline=wording.headline(message),
            alerts=[_line(one) for one in message.alerts],
            truncated=message.truncated,
        )
        return ""


def _line(alert: Alert) -> str:
    about = " ".join(f"{name}={value}" for name, value in wording.labels(alert).items())
    return f"{alert.status} {about}: {alert.summary} {wording.description(alert)}"
