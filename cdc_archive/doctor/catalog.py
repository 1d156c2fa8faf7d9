"""All checks, for the documentation."""

from __future__ import annotations

from cdc_archive.doctor import (
    actors,
    archive,
    bucket,
    connector,
    connector_settings,
    folder,
    known_losses,
    looking,
    postgres,
    retention,
    settings,
    slot,
    tables,
    topics,
    transforms,
)
from cdc_archive.doctor.finding import Check

_MODULES = (
    settings,
    postgres,
    slot,
    tables,
    connector,
    connector_settings,
    known_losses,
    transforms,
    topics,
    retention,
    bucket,
    folder,
    archive,
    actors,
    looking,
)


def checks() -> list[Check]:
    """Every check, subject by subject, by name."""
    known = [value for module in _MODULES for value in vars(module).values()]
    known += [*looking.NOT_CONFIGURED.values(), *looking.UNREACHABLE.values()]
    found = {value.name: value for value in known if isinstance(value, Check)}
    return sorted(
        found.values(), key=lambda check: (looking.SUBJECTS.index(check.subject), check.name)
    )
