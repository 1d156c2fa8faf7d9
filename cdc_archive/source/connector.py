"""What Kafka Connect says of its connectors, or what a connector's configuration file says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_PROVIDED: Final = re.compile(r"\$\{[^}]*\}")
_SECRET: Final = re.compile(
    r"passw|secret|token|credential|jaas|\.key$|apikey|api\.key", re.IGNORECASE
)


class TaskFacts(NamedTuple):
    """A task of a connector: its state, and the first line of what it failed of."""

    number: int
    state: str
    trouble: str = ""


class ConnectorFacts(NamedTuple):
    """A connector.

    `config` has no secrets in it. `state` and `tasks` are None and () of one read from a file;
    `version` is that of the plug-in, `topics` those that it has written to since they were last
    reset, both None if nobody tells.
    """

    name: str
    config: Mapping[str, str]
    where: str
    state: str | None = None
    tasks: tuple[TaskFacts, ...] = ()
    version: str | None = None
    topics: tuple[str, ...] | None = None
    unseen: Mapping[str, str] = {}

    @property
    def plugin(self) -> str:
        """The class, without its package."""
        return self.config.get("connector.class", "").rpartition(".")[2]

    @property
    def is_debezium(self) -> bool:
        """Whether the connector is one of Debezium's sources."""
        class_name = self.config.get("connector.class", "")
        return class_name.startswith("io.debezium.connector.") or class_name in _ALIASES

    @property
    def is_postgres(self) -> bool:
        """Whether it reads PostgreSQL."""
        return self.plugin.startswith("Postgres")

    def get(self, key: str, default: str = "") -> str:
        """A setting's value, or its default."""
        return self.config.get(key, default).strip()

    def is_provided(self, key: str) -> bool:
        """Whether the value comes from a provider (`${file:...}`), so that it is not known here."""
        return _PROVIDED.search(self.config.get(key, "")) is not None

    def is_on(self, key: str, default: bool = False) -> bool:
        """Whether a setting of two values is on."""
        given = self.get(key)
        return default if not given else given.lower() == "true"

    def listed(self, key: str) -> tuple[str, ...]:
        """The parts of a list with commas."""
        return tuple(one.strip() for one in self.get(key).split(",") if one.strip())


_ALIASES: Final = frozenset({"PostgresConnector", "MySqlConnector", "MariaDbConnector"})
"""Connect takes a class by its short name too."""


def without_secrets(config: Mapping[str, object]) -> dict[str, str]:
    """A configuration whose secret values are asterisks."""
    return {
        key: "********" if _SECRET.search(key) and not key.startswith("message.") else str(value)
        for key, value in config.items()
    }


def secrets_of(config: Mapping[str, object]) -> list[str]:
    """The secret values that `without_secrets` leaves out; those of a provider are none."""
    return [
        str(value)
        for key, value in config.items()
        if _SECRET.search(key) and value and not _PROVIDED.fullmatch(str(value))
    ]
