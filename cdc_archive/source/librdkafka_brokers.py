"""Whether librdkafka still knows a broker to ask.

A broker that is fenced or about to stop answers that topics exist and brokers do not. librdkafka
(its issue 5301, open in 2.16) then drops all brokers, those of the bootstrap list too. Mostly it
begins with that list again; if not, it never connects again, and says nothing. Brokers that are
merely down are still known.
"""

from __future__ import annotations

import json
from typing import Any, Final

_EVERY_MS: Final = 5_000
_TO_BE_SURE: Final = 2
"""Brokers may be exchanged while statistics are gathered."""


class KnownBrokers:
    """Listens to the statistics of one client."""

    def __init__(self) -> None:
        self._times_without = 0

    @property
    def settings(self) -> dict[str, Any]:
        """To be added to the client's settings."""
        return {"statistics.interval.ms": _EVERY_MS, "stats_cb": self.heard}

    def heard(self, statistics: str) -> None:
        """Look for a broker that is more than a name for a role, such as the coordinator."""
        sources = [broker["source"] for broker in json.loads(statistics)["brokers"].values()]
        known = "configured" in sources or "learned" in sources
        self._times_without = 0 if known else self._times_without + 1

    @property
    def forgotten(self) -> bool:
        """Whether none is known, and none will be."""
        return self._times_without >= _TO_BE_SURE
