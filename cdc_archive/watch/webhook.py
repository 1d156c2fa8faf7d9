"""Messages in the form of Alertmanager's webhook, version 4: what takes Alertmanager's takes ours.

Sources: prometheus.io/docs/alerting/latest/configuration/#webhook_config, and the types that write
it, `notify/webhook.Message` and `template.Data` of github.com/prometheus/alertmanager.

The fingerprint is made of alertname, kind, type and service, not of the severity: an alert that
grows worse stays one incident wherever fingerprints tell incidents apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from cdc_archive.watch import wording
from cdc_archive.watch.endpoint import Endpoint
from cdc_archive.watch.message import Alert, Message

VERSION: Final = "4"
NEVER: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: an alert that fires has no end."""


class Webhook:
    """See the port, receiver.py.

    Args:
        name: of the receiver.
        endpoint: where it is.
        docs_url: the folder in which alerts.md is.
        external_url: where a person sees more, such as the dashboard; "" for nowhere.
    """

    def __init__(
        self, name: str, endpoint: Endpoint, docs_url: str = "docs/", external_url: str = ""
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        self._docs_url = docs_url
        self._external_url = external_url

    def send(self, message: Message) -> str:
        """See the port. What was sent already has the same `Idempotency-Key`."""
        body = json.dumps(payload(message, self._docs_url, self._external_url), ensure_ascii=False)
        headers = {"Content-Type": "application/json", "Idempotency-Key": _key(message)}
        return self._endpoint.send("POST", body.encode(), headers)


def payload(message: Message, docs_url: str, external_url: str) -> dict[str, Any]:
    """The JSON object. A pure function of its arguments."""
    group = {"alertname": wording.ALERTNAME}
    if message.group:
        group["service"] = message.group
    headline = wording.headline(message)
    alerts = [_alert(one, headline, docs_url, external_url) for one in message.alerts]
    matched = ", ".join(f"{name}={_quoted(value)}" for name, value in group.items())
    return {
        "version": VERSION,
        "groupKey": f"{{}}:{{{matched}}}",
        "truncatedAlerts": message.truncated,
        "status": message.status,
        "receiver": message.receiver,
        "groupLabels": group,
        "commonLabels": _common([one["labels"] for one in alerts]),
        "commonAnnotations": _common([one["annotations"] for one in alerts]),
        "externalURL": external_url,
        "alerts": alerts,
    }


def _alert(alert: Alert, headline: str, docs_url: str, external_url: str) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": wording.labels(alert),
        "annotations": {
            "headline": headline,
            "summary": alert.summary,
            "description": wording.description(alert),
            "runbook_url": docs_url + wording.runbook(alert.kind),
        },
        "startsAt": wording.moment(alert.started_us),
        "endsAt": NEVER if alert.resolved_us is None else wording.moment(alert.resolved_us),
        "generatorURL": external_url,
        "fingerprint": _digest(wording.ALERTNAME, *alert.identity)[:16],
    }


def _common(told: Sequence[dict[str, str]]) -> dict[str, str]:
    first, *others = told
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }


def _key(message: Message) -> str:
    said = ((*one.identity, one.started_us, one.gravity) for one in message.alerts)
    return _digest(message.receiver, message.group, message.number, *said)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
