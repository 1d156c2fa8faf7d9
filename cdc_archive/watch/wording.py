"""What an alert and a group of them say: labels and annotations as Prometheus has them, and words.

The names of the labels are those of `cdc_archive_watch_alerts`; a label without a value is left
out, as Prometheus does. Sources: prometheus.io/docs/alerting/latest/notifications, KeyValue data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cdc_archive.watch.message import Alert, Message

ALERTNAME: Final = "CdcArchiveAudit"
RUNBOOKS: Final = {
    "silence": "cdcarchiveservicesilent",
    "unattributed": "cdcarchiveunattributed",
    "volume": "cdcarchivevolumelow",
    "zero_run": "cdcarchivevolumelow",
    "publish_errors": "cdcarchivepublisherrors",
    "canary": "cdcarchivecanarylate",
    "lag": "cdcarchivewatchbehind",
    "worker": "worker",
}
"""Heading of docs/alerts.md by kind; for the others it is that of `ALERTNAME`."""
_NAMED: Final = 3
_LONGEST: Final = 300


def labels(alert: Alert) -> dict[str, str]:
    """Of one alert."""
    named = {"kind": alert.kind, "type": alert.type, "service": alert.service}
    return {
        "alertname": ALERTNAME,
        **{name: value for name, value in named.items() if value},
        "severity": alert.severity,
    }


def runbook(kind: str) -> str:
    """The heading that says what to do."""
    return "alerts.md#" + RUNBOOKS.get(kind, ALERTNAME.lower())


def moment(time_us: int) -> str:
    """RFC 3339, UTC, whole microseconds."""
    at = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def description(alert: Alert) -> str:
    """When, how many, where."""
    said = [f"Since {_minute(alert.started_us)}"]
    if alert.resolved_us is not None:
        said[0] += f", over at {_minute(alert.resolved_us)}"
    if alert.times > 1:
        said.append(f"It began {alert.times} times since {_minute(alert.first_us)}")
    if alert.highest > alert.latest:
        said.append(f"At most {alert.highest:,}")
    if alert.examples:
        said.append("For example " + ", ".join(alert.examples))
    return ". ".join(said) + "."


def headline(message: Message) -> str:
    """The group in one line: what is the matter, then what is over."""
    fires = [one for one in message.alerts if one.gravity]
    over = [one for one in message.alerts if not one.gravity]
    said = []
    if fires:
        said.append(_listed(fires))
    if over:
        said.append(f"resolved: {_listed(over)}")
    if message.truncated:
        said.append(f"and {message.truncated:,} more alerts")
    return "; ".join(said)


def _listed(alerts: list[Alert]) -> str:
    """A few summaries; if there are more, how many."""
    summaries = "; ".join(_short(one.summary) for one in alerts[:_NAMED])
    rest = len(alerts) - _NAMED
    return f"{summaries}; {rest:,} more" if rest > 0 else summaries


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _minute(time_us: int) -> str:
    return moment(time_us)[:16].replace("T", " ") + " UTC"
